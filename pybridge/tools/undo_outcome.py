"""What became of a change that was to be undone or redone."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from pybridge.mirror.journal_entry import Entry, Side, State


class Result(enum.Enum):
    """What became of one change that was to be undone or redone."""

    RESTORED = "restored"  # undone, or made again
    ALREADY = "already"  # it was that way before
    NOT_MADE = "not made"  # it never came about, so there is nothing to undo
    REFUSED = "refused"  # a file has changed since; nothing of this change was put back
    MISSING = "missing"  # the journal has it no more, or a copy is damaged; nothing of this change was put back
    ERROR = "error"  # the remote did not take it


@dataclass(frozen=True)
class Outcome:
    """What became of one change.

    Args:
        entry: the change, as it stands now.
        result: machine-readable.
        text: a sentence for a person.
        details: where it was refused, what either side did, as diffs; else "".
        first: ids of changes of ours to the same files that have to be undone (redone) before it.
    """

    entry: Entry
    result: Result
    text: str
    details: str = ""
    first: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """The files hold what was asked for."""
        return self.result in (Result.RESTORED, Result.ALREADY, Result.NOT_MADE)


@dataclass(frozen=True)
class Direction:
    """Undo or redo.

    Args:
        old, new: from which side of a change to which.
        state: how a change stands afterwards.
        done: the word for it.
    """

    old: Side
    new: Side
    state: State
    done: str

    @property
    def redo(self) -> bool:
        """It is redo."""
        return self.new is Side.AFTER


UNDO = Direction(Side.AFTER, Side.BEFORE, State.UNDONE, "undone")
REDO = Direction(Side.BEFORE, Side.AFTER, State.MADE, "redone")
