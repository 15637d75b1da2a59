"""Why a change is not put back, for the one who has to decide: who changed its files since, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pybridge.host.model import ABSENT, Fetched, FileKind, FileVersion
from pybridge.mirror.journal_entry import ChangedFile, Entry, State, version_here
from pybridge.mirror.journal_records import JournalRecords
from pybridge.tools.three_way import three_way
from pybridge.tools.undo_outcome import Direction, Outcome, Result


def changed_since(
    entry: Entry,
    differing: Sequence[int],
    now: Mapping[str, Fetched],
    records: JournalRecords,
    recorded: Sequence[Entry],
    direction: Direction,
) -> Outcome:
    """The refusal of a change.

    Args:
        differing: which of its files are neither as it left them nor as they were before.
        now: every file of the change by its path, as it is now.
        recorded: all changes of this host, oldest first.
    """
    names = ", ".join(entry.files[index].path for index in differing)
    text = f"Changed since: {names}. Nothing of it was {direction.done}."
    first, explained = _others(entry, [entry.files[index] for index in differing], now, recorded, direction)
    if first:
        ids = " ".join(first)
        if not explained:
            text += f" Other changes of ours to it are {'undone' if direction.redo else 'later'}, too: {ids}"
        elif direction.redo:
            text += f" Earlier changes of ours are undone as well: redo those first: {ids}"
        else:
            text += f" Later changes of ours did that: undo those first: {ids}"
    details = "" if explained else "\n".join(_details(entry, index, now, records, direction) for index in differing)
    return Outcome(entry, Result.REFUSED, text, details, first)


def leads_elsewhere(entry: Entry, file: ChangedFile, now: Fetched, direction: Direction) -> Outcome:
    """The refusal of a change one of whose paths leads to another file than it did."""
    if now.kind is FileKind.MISSING and file.after == ABSENT:
        text = (
            f"{file.path} was a symbolic link to {file.real}, and the change removed the link alone: "
            "`ln -s` on the remote brings it back."
        )
    else:
        text = f"{file.path} leads to {now.real} now, no longer to {file.real}."
    return Outcome(entry, Result.REFUSED, f"{text} Nothing of it was {direction.done}.")


def version_now(now: Fetched) -> FileVersion | None:
    """The journal's version of what is there; None for what is no file, or too large to be one of ours."""
    if now.kind is FileKind.MISSING:
        return ABSENT
    return version_here(now.content) if now.content is not None else None


def _details(
    entry: Entry, index: int, now: Mapping[str, Fetched], records: JournalRecords, direction: Direction
) -> str:
    sides = (direction.new, direction.old)
    known = all(records.holds(entry, index, side) for side in sides)
    contents = [records.content(entry, index, side) for side in sides] if known else None
    path = entry.files[index].path
    return three_way(path, contents, now[path], redo=direction.redo)


def _others(
    entry: Entry,
    differing: Sequence[ChangedFile],
    now: Mapping[str, Fetched],
    recorded: Sequence[Entry],
    direction: Direction,
) -> tuple[tuple[str, ...], bool]:
    """Ids of changes of ours that have to be turned back first, and whether they account for all that differs."""
    between: dict[str, str] = {}
    explained = True
    for file in differing:
        chain: list[ChangedFile] = []
        # From the one that has to go first.
        for other in recorded if direction.redo else reversed(recorded):
            if other.key == entry.key:
                break
            if _stands_between(other, direction):
                same = [each for each in other.files if each.real == file.real]
                chain += same
                if same:
                    between[other.key] = other.id
        explained = explained and bool(chain) and chain[0].version(direction.old) == version_now(now[file.path])
    return tuple(between[key] for key in sorted(between, reverse=not direction.redo)), explained


def _stands_between(other: Entry, direction: Direction) -> bool:
    if direction.redo:
        return other.state in (State.UNDONE, State.UNDOING)
    return other.state not in (State.UNDONE, State.NOT_MADE)
