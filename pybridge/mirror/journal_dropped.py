"""What the journal let go to keep its size: remembered, so that history and undo can say so."""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pybridge.locations import write_private
from pybridge.mirror.journal_entry import ENTRY, read_key

DROPPED = "dropped.json"
REMEMBERED = 4000
"""Dropped changes that are known one by one; of older ones only the number and the times."""


@dataclass(frozen=True)
class DroppedChange:
    """A change that is no longer in the journal.

    Args:
        key: the name its folder had.
        session_id, message_id: whose it was; "" where its entry was unreadable.
    """

    key: str
    session_id: str
    message_id: str

    @property
    def id(self) -> str:
        """What named it."""
        return self.key.partition("-")[2]


@dataclass(frozen=True)
class Dropped:
    """All that was dropped of one target's journal.

    Args:
        count: of changes.
        first, last: when the oldest and the newest of them were made; None when there is none.
        changes: the newest of them, oldest first.
    """

    count: int = 0
    first: datetime.datetime | None = None
    last: datetime.datetime | None = None
    changes: tuple[DroppedChange, ...] = ()


def read_dropped(folder: Path) -> Dropped:
    """What was dropped of the journal in this folder. A damaged record counts as none."""
    try:
        raw = json.loads((folder / DROPPED).read_bytes())
        older, first = int(raw["older"]), raw["first"]
        changes = [DroppedChange(str(key), str(session), str(message)) for key, session, message in raw["changes"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Dropped()
    # One that is still there was to be dropped by a process that was killed before it came to that.
    gone = tuple(change for change in changes if read_key(change.key) and not (folder / change.key / ENTRY).exists())
    times = [parsed[0] for change in gone if (parsed := read_key(change.key))]
    with contextlib.suppress(ValueError, TypeError):
        if older and first:
            times.insert(0, datetime.datetime.fromisoformat(first))
    if not times:
        return Dropped()
    return Dropped(older + len(gone), times[0], times[-1], gone)


def remember_dropped(folder: Path, changes: Iterable[DroppedChange]) -> None:
    """Add to what was dropped, before it is. One process does this at a time.

    Raises:
        LocalStorageError: it cannot be written, so nothing may be dropped.
    """
    known = read_dropped(folder)
    all_changes = {change.key: change for change in (*known.changes, *changes)}
    newest = [all_changes[key] for key in sorted(all_changes)]
    forgotten = newest[:-REMEMBERED]
    older = known.count - len(known.changes) + len(forgotten)
    first = known.first
    if first is None and newest and (parsed := read_key(newest[0].key)):
        first = parsed[0]
    rows = [[change.key, change.session_id, change.message_id] for change in newest[-REMEMBERED:]]
    data = {"older": older, "first": first.isoformat() if first else None, "changes": rows}
    write_private(folder / DROPPED, json.dumps(data).encode(), durable=False)
