"""A remote that runs out of room, inodes or quota, or turns read-only, at whatever moment: told, and all as it was."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pybridge.errors import RemoteError, StorageError
from tests.kit.effort import by_effort
from tests.kit.figures import tell
from tests.kit.file_states import differing, seen
from tests.kit.remote_disks import Disk, remote_disk
from tests.tools.kit import Call
from tests.tools.opened import opened, records

HELD = "one\ntwo\n" + "x" * 8000 + "\n"
LINE = "y" * 99 + "\n"
LARGE, VERY_LARGE = LINE * 7000, LINE * 50_000
PAGE = 4096


def patch(*lines: str) -> dict[str, str]:
    return {"patchText": "\n".join(["*** Begin Patch", *lines, "*** End Patch"])}


SEVERAL = patch(
    "*** Update File: f", "@@", "-one", "+1", " two", "*** Add File: n/new", "+x", "*** Delete File: h",
    "*** Update File: g", "*** Move to: m/moved", "@@", "-one", "+1", " two",
    "*** Update File: linked", "@@", "-one", "+1", " two",
)  # fmt: skip
CHANGES: dict[str, tuple[str, dict[str, str]]] = {
    "write a new file": ("write", {"filePath": "n/m/new", "content": "x\n"}),
    "write a large new file": ("write", {"filePath": "n/m/new", "content": LARGE}),
    "write": ("write", {"filePath": "f", "content": "mine\n"}),
    "write much": ("write", {"filePath": "f", "content": LARGE}),
    "write very much": ("write", {"filePath": "f", "content": VERY_LARGE}),
    "edit": ("edit", {"filePath": "f", "oldString": "one", "newString": "1"}),
    "edit a hard link": ("edit", {"filePath": "linked", "oldString": "one", "newString": "1"}),
    "edit a new file": ("edit", {"filePath": "n/new", "oldString": "", "newString": "x\n"}),
    "patch several": ("apply_patch", SEVERAL),
}


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Local files of ours go to a folder of the test."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "local"))
    (tmp_path / "local").mkdir()


@pytest.fixture(scope="module")
def tmpfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    with remote_disk(tmp_path_factory.mktemp("tmpfs"), "tmpfs") as disk:
        yield disk


@pytest.fixture(scope="module")
def quota(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    with remote_disk(tmp_path_factory.mktemp("quota"), "quota") as disk:
        yield disk


@pytest.fixture(scope="module")
def ext4(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    with remote_disk(tmp_path_factory.mktemp("ext4"), "ext4") as disk:
        yield disk


def lay_out(disk: Disk) -> Path:
    """Files in a folder that was empty."""
    work = disk.here / "work"
    work.mkdir(exist_ok=True)
    for name in ("f", "g", "h", "linked"):
        (work / name).write_text(HELD)
    os.link(work / "linked", work / "twin")
    return work


def clear(disk: Disk) -> None:
    work = disk.here / "work"
    for path in sorted(work.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def leftovers(disk: Disk) -> list[str]:
    return [str(path) for place in (disk.here, disk.scratch) for path in place.rglob(".pybridge-*")]


Trouble = Callable[[Disk], object]
TROUBLES: dict[str, tuple[str, Trouble, Trouble, str]] = {
    "full": ("tmpfs", lambda disk: disk.fill(), lambda disk: disk.relieve(), "full"),
    "without inodes": ("tmpfs", lambda disk: disk.take_inodes(), lambda disk: disk.relieve(), "full"),
    "full, on ext4": ("ext4", lambda disk: disk.fill(), lambda disk: disk.relieve(), "full"),
    "over quota": ("quota", lambda disk: disk.fill(), lambda disk: disk.relieve(), "quota"),
    "read-only": ("ext4", lambda disk: disk.read_only(True), lambda disk: disk.read_only(False), "read-only"),
}


RARE = ("without inodes", "full, on ext4")


@pytest.mark.parametrize(
    "trouble", [pytest.param(name, marks=[pytest.mark.whole] if name in RARE else []) for name in TROUBLES]
)
async def test_law2_a_disk_that_takes_no_more_is_told_and_all_is_as_before(
    request: pytest.FixtureRequest, trouble: str
) -> None:
    kind, strike, lift, word = TROUBLES[trouble]
    disk: Disk = request.getfixturevalue(kind)
    wrong: list[str] = []
    (disk.here / "work").mkdir(exist_ok=True)
    cases = list(itertools.product(CHANGES, ("before the call", "while the permission is asked")))
    cases = cases[:: by_effort(5, 1, 1)]
    async with opened(disk.server.ssh_command, disk.place / "work") as remote:
        for number, (change, moment) in enumerate(cases):
            tool, args = CHANGES[change]
            work = lay_out(disk)
            before = seen(work)
            if moment == "before the call":
                strike(disk)
                context = Call(f"ses_{number}")
            else:
                context = Call(f"ses_{number}", on_ask=lambda ask: strike(disk) if ask.permission == "edit" else None)
            try:
                await remote(tool, context, **args)
                told = None
            except RemoteError as error:
                told = error
            if leftovers(disk):
                wrong.append(f"{change}, {moment}: left {leftovers(disk)}")
            after = seen(work)
            lift(disk)
            if told is None:
                # The staged content lay elsewhere, and the file itself had room enough.
                if trouble != "without inodes" or "new" in change or "several" in change:
                    wrong.append(f"{change}, {moment}: it was made")
            elif after != before:
                wrong.append(f"{change}, {moment}: {differing(before, after)}")
            if told is not None and (not isinstance(told, StorageError) or word not in str(told)):
                wrong.append(f"{change}, {moment}: {told!r}")
            clear(disk)
            await remote("write", filePath="next", content="works\n")
            if (work / "next").read_text() != "works\n":
                wrong.append(f"{change}, {moment}: the next call did not work")
            clear(disk)
        if records().pending():
            wrong.append("records are left")
    tell(request, "hostile conditions", f"disk {trouble}", len(cases), len(wrong))
    assert wrong == [], "\n".join(wrong)


async def test_law2_wherever_the_room_ends_a_change_is_made_whole_or_not_at_all(
    request: pytest.FixtureRequest, tmpfs: Disk
) -> None:
    """Room for so many pages more: it ends while staging, at a backup, in a refill, or not at all."""
    wrong: list[str] = []
    grown = "x" * 60_000
    big = patch(*SEVERAL["patchText"].replace("+1", f"+{grown}").splitlines()[1:-1])
    changes = {
        "edit a hard link": ("edit", {"filePath": "linked", "oldString": "one", "newString": grown}),
        "edit": ("edit", {"filePath": "f", "oldString": "one", "newString": grown}),
        "patch several": ("apply_patch", big),
    }
    count = 0
    (tmpfs.here / "work").mkdir(exist_ok=True)
    async with opened(tmpfs.server.ssh_command, tmpfs.place / "work") as remote:
        for change, (tool, args) in changes.items():
            outcomes: list[bool] = []
            for pages in range(0, 90, by_effort(15, 2, 1)):
                work = lay_out(tmpfs)
                before = seen(work)
                tmpfs.fill(leaving=pages * PAGE)
                count += 1
                try:
                    await remote(tool, Call(f"ses_{count}"), **args)
                    outcomes.append(True)
                except StorageError:
                    outcomes.append(False)
                    if seen(work) != before:
                        wrong.append(f"{change}, {pages} pages: {differing(before, seen(work))}")
                except RemoteError as error:
                    wrong.append(f"{change}, {pages} pages: {error!r}")
                if outcomes and outcomes[-1] and grown not in (work / args.get("filePath", "f")).read_text():
                    wrong.append(f"{change}, {pages} pages: not the new content")
                if (work / "linked").read_bytes() != (work / "twin").read_bytes():
                    wrong.append(f"{change}, {pages} pages: the twins differ")
                if leftovers(tmpfs):
                    wrong.append(f"{change}, {pages} pages: left {leftovers(tmpfs)}")
                tmpfs.relieve()
                clear(tmpfs)
            # It fails up to some size, and from there on it works.
            if outcomes != sorted(outcomes) or set(outcomes) != {False, True}:
                wrong.append(f"{change}: {outcomes}")
        if records().pending():
            wrong.append("records are left")
    tell(request, "hostile conditions", "disk full at every stage", count, len(wrong))
    assert wrong == [], "\n".join(wrong)
