"""Clocks that jump here, and clocks that are wrong there: nothing is lost, taken for old, or put in a wrong order."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybridge import locations
from pybridge.errors import LocalStorageError
from pybridge.host.model import FileVersion
from pybridge.locations import remove_abandoned, write_private
from pybridge.mirror.content_store import ContentStore
from pybridge.mirror.spool import Spool
from tests.kit.figures import tell
from tests.kit.sshd import SshServer
from tests.kit.userlands import Login, login, public_folder
from tests.tools.kit import Call
from tests.tools.opened import Opened, opened, records

YEAR = 365 * 24 * 3600.0


class Clock:
    """This machine's clock, as far as Python asks for it: `offset` seconds wrong."""

    def __init__(self) -> None:
        self.offset = 0.0
        self._real = time.time

    def __call__(self) -> float:
        return self._real() + self.offset


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that can be set."""
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Local files of ours go to a folder of the test."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "local"))
    (tmp_path / "local").mkdir()


JUMPS = (0.0, YEAR, -YEAR, 0.0, -time.time(), YEAR * 80, 0.0)


async def test_a_local_clock_that_jumps_between_calls_changes_nothing(
    request: pytest.FixtureRequest, openssh: SshServer, tmp_path: Path, clock: Clock
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    async with opened(openssh.ssh_command, work) as remote:
        await remote("write", filePath="f", content="0;\n")
        connections = openssh.connections()
        kept = (await remote("bash", command="seq 1 100000")).metadata["outputPath"]
        for number, clock.offset in enumerate(JUMPS):
            assert f"1: {number};" in (await remote("read", filePath="f")).output
            await remote("edit", filePath="f", oldString=f"{number};", newString=f"{number + 1};")
            await remote("write", filePath="g", content=f"{number}\n")
            patch = (
                f"*** Begin Patch\n*** Add File: a{number}\n+x\n*** Update File: g\n@@\n-{number}\n+y\n*** End Patch"
            )
            await remote("apply_patch", patchText=patch)
            assert (await remote("bash", command="cat g")).output == "y\n"
            assert (await remote("grep", pattern="^y$")).metadata["matches"] == 1
            await remote("bash", command="seq 1 100000")  # makes room for itself
            assert "100000" in (await remote("read", filePath=kept, offset=100_000)).output
            assert records().pending() == []
            assert records().abandoned() == []
        assert set(connections) <= set(openssh.connections()), "a connection was given up"
    assert (work / "f").read_text() == f"{len(JUMPS)};\n"
    tell(request, "hostile conditions", "local clock jumps between calls", len(JUMPS))


@pytest.mark.parametrize("offset", [YEAR, -YEAR, -1_700_000_000.0])
def test_a_mirror_trimmed_at_a_wrong_time_serves_nothing_wrong(tmp_path: Path, clock: Clock, offset: float) -> None:
    store = ContentStore(tmp_path / "mirror", "host", "/w", max_bytes=200 * 8192)
    contents = {f"/w/{number}": b"%d\n" % number for number in range(300)}
    for number, (path, content) in enumerate(contents.items()):
        clock.offset = offset if number % 2 else 0.0
        store.put(path, FileVersion(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content)), content)
    store.close()  # waits for the trimming that runs beside the first put
    store.trim()
    found = {path: got[1] for path in contents if (got := store.get(path)) is not None}
    assert 0 < len(found) <= 200
    assert all(contents[path] == content for path, content in found.items())


@pytest.mark.parametrize("offset", [YEAR, -YEAR])
def test_an_output_that_may_still_be_asked_for_is_not_taken_for_old(
    tmp_path: Path, clock: Clock, offset: float
) -> None:
    spool, other = Spool(tmp_path / "spool"), Spool(tmp_path / "spool")
    with spool.open() as file:
        file.append(b"kept\n")
    assert file.path is not None
    clock.offset = offset
    with other.open() as another:
        another.append(b"x\n")
    spool.empty()
    other.empty()
    assert file.path.read_bytes() == b"kept\n"
    spool.close()
    other.close()


def test_a_file_being_written_while_the_clock_jumps_is_whole_or_as_it_was(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_private(tmp_path / "f", b"old")
    replace = locations._replace

    def swept_before(source: Path, target: Path) -> None:
        clock.offset = YEAR
        remove_abandoned(tmp_path)
        replace(source, target)

    monkeypatch.setattr(locations, "_replace", swept_before)
    with pytest.raises(LocalStorageError):
        write_private(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["f"]


@pytest.fixture(scope="module", params=["gnu", "busybox"])
def user(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    """A server with each userland."""
    with login(tmp_path_factory.mktemp("clocks"), "root", request.param) as found:
        yield found


# Seconds since 1970 of the files' last changes: before it, at it, today, after a number of 32 bits, and far off.
TIMES = {"before": -YEAR * 10, "zero": 0.0, "now": time.time(), "late": 2.0**31 + 5, "far": YEAR * 200}


async def test_times_far_off_are_times_like_others(request: pytest.FixtureRequest, user: Login) -> None:
    with public_folder() as work:
        async with opened(user.ssh_command, work) as remote:
            for name, at in TIMES.items():
                (work / name).write_text("one\n")
                os.utime(work / name, (at, at))
            newest_first = [f"{work}/{name}" for name in reversed(TIMES)]
            assert (await remote("glob", pattern="*")).output.split("\n") == newest_first
            for name, at in TIMES.items():
                assert "1: one" in (await remote("read", filePath=name)).output
                await another_edits(remote, work / name, at)
                await remote("write", Call("other"), filePath=name, content="3\n")
                assert (work / name).read_text() == "3\n"
                assert abs((work / name).stat().st_mtime - time.time()) < 3600
            assert sorted(path.name for path in work.iterdir()) == sorted(TIMES)
    assert records().pending() == []
    tell(request, "hostile conditions", "remote times far off", len(TIMES))


async def another_edits(remote: Opened, path: Path, at: float) -> None:
    """While the permission is asked somebody changes the file, and sets its time as it was: it is noticed."""
    asked = 0

    def meanwhile(ask: object) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            path.write_text("One\none\n")
            os.utime(path, (at, at))

    await remote("edit", Call(on_ask=meanwhile), filePath=str(path), oldString="one", newString="two")
    assert path.read_text() == "One\ntwo\n"
    assert asked == 2
