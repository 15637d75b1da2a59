"""A hundred thousand tracked files cost a call nothing (law 1), and the mirror stays within its bounds beside it."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import Counter
from pathlib import Path

import pytest

from pybridge.host.control_shell import ControlShell
from pybridge.host.model import FileVersion
from pybridge.locations import mirror_folder
from pybridge.mirror.content_store import ContentStore
from tests.kit.effort import by_effort
from tests.kit.figures import tell
from tests.kit.file_operations import operations_below
from tests.kit.sshd import SshServer
from tests.kit.tracked_files import track
from tests.kit.waiting import wait_until
from tests.tools.opened import SLUG, opened

MANY = by_effort(500, 100_000, 100_000)
PATCH = "*** Begin Patch\n*** Add File: added\n+x\n*** Update File: f\n@@\n-2\n+3\n*** Delete File: g\n*** End Patch"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Local files of ours go to a folder of the test."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "local"))
    (tmp_path / "local").mkdir()
    return tmp_path / "local"


def lay_out(folder: Path, count: int) -> None:
    """A folder of which so many files are tracked."""
    folder.mkdir()
    track(ContentStore(mirror_folder(SLUG, str(folder)), SLUG, str(folder)), str(folder), count)


@pytest.mark.timeout(900)
async def test_law1_no_call_costs_more_where_many_files_are_tracked(
    request: pytest.FixtureRequest, openssh: SshServer, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ask = ControlShell.request

    async def counting(self: ControlShell, request: str, **options: object) -> object:
        asked.append(request)
        return await ask(self, request, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ControlShell, "request", counting)
    calls: list[tuple[str, dict[str, object]]] = [
        ("read", {"filePath": "f"}),
        ("read", {"filePath": "f"}),
        ("edit", {"filePath": "f", "oldString": "1", "newString": "2"}),
        ("write", {"filePath": "g", "content": "new\n"}),
        ("apply_patch", {"patchText": PATCH}),
    ]
    costs: list[list[Counter[str]]] = []
    # The first session makes the folders of ours that later ones find.
    for turn, count in enumerate((10, 10, MANY)):
        folder = tmp_path / f"of-{turn}"
        lay_out(folder, count)
        (folder / "f").write_text("1\n")
        with operations_below(home, ignore_threads=("pybridge-mirror-trim", "pybridge-journal-trim")) as done:
            async with opened(openssh.ssh_command, folder) as remote:
                costs.append([kinds(done)])
                for tool, args in calls:
                    asked.clear()
                    done.clear()
                    await remote(tool, **args)
                    remote.session.store.forget("/none")  # waits for what is kept after the answer
                    costs[turn].append(kinds(done) + Counter({f"requests of {tool}": len(asked)}))
    more = [many - few for few, many in zip(costs[1], costs[2], strict=True)]
    tell(request, "hostile conditions", f"{MANY} tracked files", len(calls) + 1, sum(map(bool, more)))
    assert [dict(surplus) for surplus in more] == [{}] * len(more)
    assert all(cost.total() > 1 for cost in costs[2])


def kinds(done: list[tuple[str, str]]) -> Counter[str]:
    return Counter(event for event, _ in done)


async def test_law7_no_call_waits_for_the_mirror_to_be_trimmed(
    openssh: SshServer, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(*arguments: object) -> None:
        begun.set()
        go_on.wait(60)

    monkeypatch.setattr("pybridge.mirror.content_store.trim", slow)
    folder = tmp_path / "work"
    lay_out(folder, 10)
    async with opened(openssh.ssh_command, folder) as remote:
        try:
            await remote("write", filePath="f", content="1\n")
            assert await asyncio.to_thread(begun.wait, 30)
            await remote("edit", filePath="f", oldString="1", newString="2")
            assert "1: 2" in (await remote("read", filePath="f")).output
            assert not go_on.is_set()
        finally:
            go_on.set()


def test_a_mirror_of_many_files_is_brought_within_its_bounds_the_oldest_first(tmp_path: Path) -> None:
    count = MANY // 4
    store = ContentStore(tmp_path / "mirror", SLUG, "/w", max_bytes=count * 8192 // 2)
    track(store, "/w", count)
    used = [f"/w/tracked/{number % 300}/{number}" for number in range(0, 40)]
    for path in used:
        assert store.get(path) is not None
    store.trim()
    kept = [file for file in (tmp_path / "mirror" / "in").rglob("*") if file.is_file()]
    assert len(kept) * 8192 <= count * 8192 // 2
    assert len(kept) >= count * 7 // 16 - 1
    assert len(list((tmp_path / "mirror" / "entries").rglob("*.json"))) >= len(kept)
    for path in used:
        assert store.get(path) is not None
    assert store.get(f"/w/tracked/{200}/{200}") is None
    content = b"new\n"
    assert store.put("/w/new", FileVersion(f"sha256:{hashlib.sha256(content).hexdigest()}", 4), content)
    wait_until(lambda: store.get("/w/new") is not None, "the new content")
    store.close()
