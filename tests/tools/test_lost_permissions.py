"""What may no longer be written, at whatever moment that comes about: told, and everything as it was (laws 2, 3)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from pybridge.errors import FileError, FilePermissionError, RemoteError
from tests.kit.counterparts import missing, need
from tests.kit.figures import tell
from tests.kit.file_states import State, differing, seen
from tests.kit.remote_disks import Disk, remote_disk
from tests.kit.sshd import SshServer
from tests.kit.userlands import Login, login, public_folder
from tests.tools.kit import Ask, Call
from tests.tools.opened import Opened, opened, records

HELD = "one\ntwo\n"
LARGE = ("y" * 99 + "\n") * 7000
UPDATE = "*** Begin Patch\n*** Update File: {path}\n{move}@@\n-one\n+1\n two\n*** End Patch"

Change = Callable[[Opened, Call, str], object]


def write(remote: Opened, context: Call, path: str) -> object:
    return remote("write", context, filePath=path, content="1\ntwo\n")


def write_much(remote: Opened, context: Call, path: str) -> object:
    return remote("write", context, filePath=path, content=LARGE)


def edit(remote: Opened, context: Call, path: str) -> object:
    return remote("edit", context, filePath=path, oldString="one", newString="1")


def update(remote: Opened, context: Call, path: str) -> object:
    return remote("apply_patch", context, patchText=UPDATE.format(path=path, move=""))


def move(remote: Opened, context: Call, path: str) -> object:
    return remote("apply_patch", context, patchText=UPDATE.format(path=path, move=f"*** Move to: {path}-moved\n"))


def delete(remote: Opened, context: Call, path: str) -> object:
    return remote("apply_patch", context, patchText=f"*** Begin Patch\n*** Delete File: {path}\n*** End Patch")


def new(remote: Opened, context: Call, path: str) -> object:
    return remote("write", context, filePath=f"{path}-new", content="x\n")


INTO: dict[str, Change] = {"write": write, "write much": write_much, "edit": edit, "update": update}
NAMES: dict[str, Change] = {"move": move, "delete": delete, "new": new}


def chmod(what: str, mode: int) -> Callable[[Path], None]:
    return lambda path: {"file": path, "folder": path.parent, "above": path.parents[1]}[what].chmod(mode)


def given_away(what: str, mode: int) -> Callable[[Path], None]:
    def strike(path: Path) -> None:
        place = path if what == "file" else path.parent
        os.chown(place, 0, 0)
        place.chmod(mode)

    return strike


# What happens to it, and which changes it still allows, as the kernel does.
LOSSES: dict[str, tuple[Callable[[Path], None], frozenset[str]]] = {
    "the file made read-only": (chmod("file", 0o444), frozenset(NAMES)),
    "the file closed": (chmod("file", 0), frozenset({"new"})),
    "the file given to root": (given_away("file", 0o644), frozenset(NAMES)),
    "the folder made read-only": (chmod("folder", 0o555), frozenset(INTO)),
    "the folder closed": (chmod("folder", 0), frozenset()),
    "the folder given to root": (given_away("folder", 0o755), frozenset(INTO)),
    "the folder above closed": (chmod("above", 0), frozenset()),
}


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Local files of ours go to a folder of the test."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "local"))
    (tmp_path / "local").mkdir()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    """A server for a user who is not root."""
    with login(tmp_path_factory.mktemp("plain"), "plain", "gnu") as found:
        yield found


@pytest.fixture
async def remote(plain: Login) -> AsyncIterator[Opened]:
    """A session of that user."""
    with public_folder() as folder:
        async with opened(plain.ssh_command, folder) as remote:
            yield remote


async def struck(
    remote: Opened, path: str, change: Change, when: str, strike: Callable[[], object]
) -> RemoteError | None:
    """The error of a change before which, or during whose question, something happens."""
    if when == "before the call":
        strike()
    asked: list[Ask] = []

    def meanwhile(ask: Ask) -> None:
        if ask.permission == "edit" and not asked:
            asked.append(ask)
            strike()

    context = Call(f"ses {path} {when}", on_ask=meanwhile if when != "before the call" else lambda ask: None)
    try:
        await change(remote, context, path)  # type: ignore[misc]
    except RemoteError as error:
        return error
    return None


def left(*folders: Path) -> list[str]:
    return [str(path) for folder in folders for path in folder.rglob(".pybridge-*")]


@pytest.mark.parametrize(
    "when", [pytest.param("before the call", marks=pytest.mark.whole), "while the permission is asked"]
)
@pytest.mark.parametrize("loss", LOSSES)
async def test_law2_a_permission_that_is_lost_is_told_and_all_stays(
    request: pytest.FixtureRequest, remote: Opened, plain: Login, loss: str, when: str
) -> None:
    strike, still = LOSSES[loss]
    wrong: list[str] = []
    for name, change in (INTO | NAMES).items():
        path = Path(remote.folder) / name / "folder" / "f"
        path.parent.mkdir(parents=True)
        path.write_text(HELD)
        for place in (path, *path.parents[:2]):
            os.chown(place, plain.uid, plain.uid)
        before: list[State] = []

        def happens(path: Path = path, before: list[State] = before) -> None:
            strike(path)
            before.append(seen(path.parents[1]))

        error = await struck(remote, str(path), change, when, happens)
        after = seen(path.parents[1])
        if (error is None) != (name in still):
            wrong.append(f"{name}: {error!r}")
        if error is not None and before != [after]:
            wrong.append(f"{name}: {differing(before[0], after)}")
        if error is not None and not ("ermission" in str(error) or "may not" in str(error)):
            wrong.append(f"{name}: {error!r}")
        if left(path.parents[1]):
            wrong.append(f"{name}: left {left(path.parents[1])}")
    await remote("write", filePath="next", content="works\n")
    assert records().pending() == []
    tell(request, "hostile conditions", f"permission lost {when}", len(INTO | NAMES), len(wrong))
    assert wrong == [], "\n".join(wrong)


@pytest.fixture(scope="module")
def ext4(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """A disk whose files can be made immutable."""
    with remote_disk(tmp_path_factory.mktemp("ext4"), "ext4") as disk:
        yield disk


FLAGS: dict[str, tuple[str, str, frozenset[str]]] = {
    "an immutable file": ("+i", "file", frozenset({"new"})),
    "a file that only grows": ("+a", "file", frozenset({"new"})),
    "an immutable folder": ("+i", "folder", frozenset(INTO)),
}


@pytest.mark.parametrize("flag", FLAGS)
async def test_law2_what_its_flags_protect_is_left_alone_even_by_root(
    request: pytest.FixtureRequest, ext4: Disk, flag: str
) -> None:
    letter, what, still = FLAGS[flag]
    wrong: list[str] = []
    async with opened(ext4.server.ssh_command, ext4.place) as remote:
        for number, (name, change) in enumerate((INTO | NAMES).items()):
            top = ext4.here / f"{flag} {number}"
            path = top / "folder" / "f"
            path.parent.mkdir(parents=True)
            path.write_text(HELD)
            place, before = path if what == "file" else path.parent, seen(top)
            there = str(ext4.place / path.relative_to(ext4.here))
            error = await struck(remote, there, change, "asked", lambda place=place: flagged(place, letter))
            after = seen(top)
            flagged(place, f"-{letter[1]}")
            if (error is None) != (name in still):
                wrong.append(f"{name}: {error!r}")
            if error is not None and (after != before or not isinstance(error, FilePermissionError)):
                wrong.append(f"{name}: {error!r} {differing(before, after)}")
            if left(top, ext4.scratch):
                wrong.append(f"{name}: left {left(top, ext4.scratch)}")
        await remote("write", filePath="next", content="works\n")
    assert records().pending() == []
    tell(request, "hostile conditions", flag, len(INTO | NAMES), len(wrong))
    assert wrong == [], "\n".join(wrong)


def flagged(path: Path, letter: str) -> None:
    done = subprocess.run([need("chattr"), letter, str(path)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        missing(f"chattr {letter}: {done.stderr.strip()}")


LONGEST = {"letters": "x" * 255, "two bytes each": "é" * 127 + "x", "three bytes each": "語" * 85}


@pytest.mark.parametrize(
    "kind", ["letters", *(pytest.param(kind, marks=pytest.mark.whole) for kind in LONGEST if kind != "letters")]
)
async def test_the_longest_names_work_and_longer_ones_are_told(openssh: SshServer, tmp_path: Path, kind: str) -> None:
    work, name = tmp_path / "work", LONGEST[kind]
    work.mkdir()
    assert len(name.encode()) == 255
    async with opened(openssh.ssh_command, work) as remote:
        await remote("write", filePath=f"{work}/{name}", content="one\ntwo\n")
        await remote("edit", filePath=f"{work}/{name}", oldString="one", newString="1")
        await write_much(remote, Call("other"), f"{work}/{name}")  # type: ignore[misc]
        assert [path.name for path in work.iterdir()] == [name]
        before = seen(work)
        for path in (f"{name}x", f"{name}x/f", f"n/m/{name}x", "/".join(["d" * 200] * 21)):
            for change in (write, write_much):
                with pytest.raises(FileError, match="too long"):
                    await change(remote, Call(), f"{work}/{path}")  # type: ignore[misc]
                assert differing(before, seen(work)) == "", path[-20:]
    assert records().pending() == []
