"""Somebody changes a file inside the one remote command that compares and replaces it: who is safe, and who is not.

POSIX has no compare-and-swap for files. The command is stopped at each place where that matters, somebody else acts,
and it goes on. Sessions of ours take turns and are always safe. Of others, whoever writes into the file is safe: what
was replaced is looked at once more. Whoever puts another file in its place is safe until just before the replacing.
What remains is stated in `LIMITS`, and each of its rows is shown to be one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybridge.errors import ChangeLeftError, RemoteError
from pybridge.tools.context import ToolResult
from tests.kit.figures import tell
from tests.writers.desks import Desk, content, leftovers
from tests.writers.gate import RemoteGate
from tests.writers.operations import EDITED, OLD, OURS, THEIRS, update
from tests.writers.styles import Writers, append, backup_and_new, rename_over, rewrite, through_symlink

Run = Callable[[Desk, Path], Awaitable[ToolResult]]


async def edit(desk: Desk, folder: Path) -> ToolResult:
    return await desk("edit", filePath=str(folder / "f"), oldString="needle", newString=OURS.decode())


async def create(desk: Desk, folder: Path) -> ToolResult:
    return await desk("write", filePath=str(folder / "f"), content=EDITED.decode())


async def patch(desk: Desk, *sections: str) -> ToolResult:
    return await desk("apply_patch", patchText="\n".join(["*** Begin Patch", *sections, "*** End Patch"]))


async def patch_two(desk: Desk, folder: Path) -> ToolResult:
    return await patch(desk, update(folder, "f"), update(folder, "other"))


async def remove(desk: Desk, folder: Path) -> ToolResult:
    # Says what it removes, so that it fits nothing else.
    lines = [f"-{line}" for line in OLD.decode().splitlines()]
    header = [f"--- {folder / 'f'}", "+++ /dev/null", f"@@ -1,{len(lines)} +0,0 @@"]
    return await desk("apply_patch", patchText="\n".join([*header, *lines, ""]))


@dataclass(frozen=True)
class Place:
    """A place inside the command.

    Args:
        name: for people.
        run: the call.
        program: which program's call it is stopped before, and
        number: which of its calls.
        before: names of the files that are there.
        linked: the file has a second name, so it is refilled in place.
    """

    name: str
    run: Run
    program: str
    number: int = 1
    before: tuple[str, ...] = ("f",)
    linked: bool = False


KEEP = Place("edit: compared, not yet linked beside it", edit, "ln")
RENAME = Place("edit: linked beside it, not yet renamed over", edit, "mv")
LINK = Place("new file: seen missing, not yet linked", create, "ln", before=())
KEEP_TWO = Place("patch of two: compared, not yet linked beside it", patch_two, "ln", before=("f", "other"))
RENAME_TWO = Place("patch of two: linked beside it, not yet renamed over", patch_two, "mv", before=("f", "other"))
COPY = Place("refill: compared, not yet backed up", edit, "cat", linked=True)
REFILL = Place("refill: backed up and compared again, opened, not yet filled", edit, "cat", 2, linked=True)
REMOVE = Place("removal: compared, not yet taken away", remove, "mv")
PLACES = (KEEP, RENAME, LINK, KEEP_TWO, RENAME_TWO, COPY, REFILL, REMOVE)

STYLES = {
    "append": append,
    "rewrite in place": rewrite,
    "rename over": rename_over,
    "backup and new file": backup_and_new,
    "symlink": through_symlink,
}
IN_PLACE = ("append", "rewrite in place")
RENAMING = ("rename over", "backup and new file", "symlink")

LIMITS = {
    RENAME.name: RENAMING,
    RENAME_TWO.name: RENAMING,
    REFILL.name: IN_PLACE,
}
"""Whose change is lost, by the place it falls into. Everybody else's is kept, or ours fails and says so."""


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
async def test_law3_a_change_inside_the_window_is_kept_or_is_of_the_stated_limit(
    place: Place, gated: Writers, gate: RemoteGate, folder: Path, request: pytest.FixtureRequest
) -> None:
    for number, (style, put) in enumerate(STYLES.items()):
        work = folder / str(number)
        work.mkdir()
        for name in place.before:
            (work / name).write_bytes(OLD)
        if place.linked:
            os.link(work / "f", work / "twin")
        gate.stop_at(place.program, place.number)
        running = asyncio.ensure_future(place.run(gated.ours, work))
        await gate.reached(running)
        put(work / "f", (content(work / "f") or b"") + THEIRS + b"\n")
        gate.let_go()
        error = None
        try:
            await running
        except RemoteError as raised:
            error = raised
        now = content(work / "f") or b""
        survived = THEIRS in now
        lost = style in LIMITS.get(place.name, ())
        tell(request, "other writers, inside the window", f"{place.name} ({'limit' if lost else 'safe'})", 1)
        if lost:
            # If this fails because nothing is lost any more: take it out of LIMITS, and of the README.
            assert not survived, (style, error, now)
        else:
            assert survived, (style, error, now)
            # An edit is computed again on top of theirs.
            assert (OURS in now) == (error is None), (style, error, now)
            if error is not None:
                assert "ead" in str(error), error
        # What stands in the place of a file that was being refilled stays; what was there before lies beside it.
        assert leftovers(work) == [] or isinstance(error, ChangeLeftError), style


@pytest.mark.parametrize("run", [edit, patch_two], ids=["edit", "patch"])
async def test_law3_a_second_session_inside_the_window_waits_for_its_turn_and_loses_nothing(
    run: Run, gated: Writers, gate: RemoteGate, folder: Path, request: pytest.FixtureRequest
) -> None:
    for name in ("f", "other"):
        (folder / name).write_bytes(OLD)
    gate.stop_at("mv")
    first = asyncio.ensure_future(run(gated.ours, folder))
    await gate.reached(first)
    second = asyncio.ensure_future(
        gated.second("edit", filePath=str(folder / "f"), oldString="last", newString=THEIRS.decode())
    )
    while not gated.second.waits_for_its_turn():
        assert not second.done()
        await asyncio.sleep(0.01)
    gate.let_go()
    await first
    await second
    assert (folder / "f").read_bytes() == EDITED.replace(b"last", THEIRS)
    tell(request, "other writers, inside the window", "second session of ours (safe)", 1)
