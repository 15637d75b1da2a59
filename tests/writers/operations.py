"""The tool calls that others' changes are laid across, and what each may leave behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.writers.desks import Desk
from tests.writers.moments import Moments, WatchedCall, watched_call

OURS = b"our line"
THEIRS = b"their line"
OLD = b"first\nneedle\nmiddle\nlast\n"
EDITED = OLD.replace(b"needle", OURS)

Run = Callable[[Desk, Path, Moments], Awaitable[list[str]]]


@dataclass(frozen=True)
class TheirChange:
    """What the others make of the file.

    Args:
        name: for the table.
        new: what they leave, given what it held; None when they remove it.
        fits: an edit of ours still applies on top of it.
    """

    name: str
    new: Callable[[bytes], bytes | None]
    fits: bool


ELSEWHERE = TheirChange("elsewhere in the file", lambda old: old + THEIRS + b"\n", True)
SAME_PLACE = TheirChange("in the same place", lambda old: old.replace(b"needle", THEIRS), False)
REMOVED = TheirChange("removed", lambda old: None, False)
CREATED = TheirChange("created", lambda old: THEIRS + b"\n", False)


@dataclass(frozen=True)
class Operation:
    """One call, or several, of one session.

    Args:
        name: for the table.
        before: files that are there, by name.
        target: the name of the file the others change meanwhile.
        changes: what they make of it.
        run: makes the calls; the answer is everything the model or the person was shown, in order.
        ours: what the target holds when only we act; None when it is then gone.
        takes_theirs: the target as it is found by the call's first look is what it goes by, whatever it holds.
    """

    name: str
    before: Mapping[str, bytes]
    target: str
    changes: tuple[TheirChange, ...]
    run: Run
    ours: bytes | None
    takes_theirs: bool = False


def shown_by(context: WatchedCall, output: str) -> list[str]:
    """What a person and the model saw of a call."""
    return [*(str(ask.metadata.get("diff", "")) for ask in context.asks), output]


async def make(desk: Desk, moments: Moments, tool: str, **args: object) -> list[str]:
    """One call under test."""
    context = watched_call(moments, desk.name)
    result = await desk(tool, context, **args)
    return shown_by(context, result.output)


async def edit(desk: Desk, folder: Path, moments: Moments) -> list[str]:
    return await make(desk, moments, "edit", filePath=str(folder / "f"), oldString="needle", newString=OURS.decode())


async def two_edits(desk: Desk, folder: Path, moments: Moments) -> list[str]:
    path = str(folder / "f")
    shown = await make(desk, moments, "edit", filePath=path, oldString="middle", newString="MIDDLE")
    return shown + await make(desk, moments, "edit", filePath=path, oldString="needle", newString=OURS.decode())


async def edit_that_creates(desk: Desk, folder: Path, moments: Moments) -> list[str]:
    return await make(desk, moments, "edit", filePath=str(folder / "f"), oldString="", newString=OURS.decode() + "\n")


async def write(desk: Desk, folder: Path, moments: Moments) -> list[str]:
    return await make(desk, moments, "write", filePath=str(folder / "f"), content=OURS.decode() + "\n")


async def read_and_write(desk: Desk, folder: Path, moments: Moments) -> list[str]:
    shown = await make(desk, moments, "read", filePath=str(folder / "f"))
    return shown + await write(desk, folder, moments)


async def read_and_edit(desk: Desk, folder: Path, moments: Moments) -> list[str]:
    shown = await make(desk, moments, "read", filePath=str(folder / "f"))
    return shown + await edit(desk, folder, moments)


async def read_and_patch(desk: Desk, folder: Path, moments: Moments) -> list[str]:
    shown = []
    for name in TWO:
        shown += await make(desk, moments, "read", filePath=str(folder / name))
    return shown + await patch_two(desk, folder, moments)


async def large_write(desk: Desk, folder: Path, moments: Moments) -> list[str]:
    return await make(desk, moments, "write", filePath=str(folder / "f"), content=LARGE.decode())


LARGE = OURS + b"\n" + (b"x" * 79 + b"\n") * 8000


async def patch(desk: Desk, moments: Moments, *sections: str) -> list[str]:
    text = "\n".join(["*** Begin Patch", *sections, "*** End Patch"])
    return await make(desk, moments, "apply_patch", patchText=text)


def update(folder: Path, name: str) -> str:
    return f"*** Update File: {folder / name}\n@@\n first\n-needle\n+{OURS.decode()}\n middle"


async def patch_two(desk: Desk, folder: Path, moments: Moments) -> list[str]:
    return await patch(desk, moments, update(folder, "other"), update(folder, "f"))


async def patch_add(desk: Desk, folder: Path, moments: Moments) -> list[str]:
    return await patch(desk, moments, update(folder, "other"), f"*** Add File: {folder / 'f'}\n+{OURS.decode()}")


async def patch_delete(desk: Desk, folder: Path, moments: Moments) -> list[str]:
    return await patch(desk, moments, update(folder, "other"), f"*** Delete File: {folder / 'f'}")


async def patch_move(desk: Desk, folder: Path, moments: Moments) -> list[str]:
    moved = update(folder, "f").replace("\n", f"\n*** Move to: {folder / 'moved'}\n", 1)
    return await patch(desk, moments, moved)


async def patch_move_here(desk: Desk, folder: Path, moments: Moments) -> list[str]:
    moved = update(folder, "other").replace("\n", f"\n*** Move to: {folder / 'f'}\n", 1)
    return await patch(desk, moments, moved)


CHANGED = (ELSEWHERE, SAME_PLACE, REMOVED)
FILE = {"f": OLD}
TWO = {"f": OLD, "other": OLD}

OPERATIONS = (
    Operation("edit", FILE, "f", CHANGED, edit, EDITED),
    Operation("two edits", FILE, "f", CHANGED, two_edits, EDITED.replace(b"middle", b"MIDDLE")),
    Operation("edit that creates", {}, "f", (CREATED,), edit_that_creates, OURS + b"\n"),
    Operation("write onto a file never read", FILE, "f", CHANGED, write, OURS + b"\n", True),
    Operation("read, then write", FILE, "f", CHANGED, read_and_write, OURS + b"\n", True),
    Operation("read, then edit", FILE, "f", CHANGED, read_and_edit, EDITED),
    Operation("read, then patch of two files", TWO, "f", CHANGED, read_and_patch, EDITED),
    Operation("write of a new file", {}, "f", (CREATED,), write, OURS + b"\n", True),
    Operation("write of 640 KB", FILE, "f", CHANGED, large_write, LARGE, True),
    Operation("patch of two files", TWO, "f", CHANGED, patch_two, EDITED),
    Operation("patch that adds", {"other": OLD}, "f", (CREATED,), patch_add, OURS + b"\n"),
    Operation("patch that removes", TWO, "f", CHANGED, patch_delete, None, True),
    Operation("patch that moves away", FILE, "f", CHANGED, patch_move, None),
    Operation("patch that moves here", {"other": OLD}, "f", (CREATED,), patch_move_here, EDITED),
)
