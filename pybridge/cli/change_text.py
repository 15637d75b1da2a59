"""A recorded change as a person reads it."""

from __future__ import annotations

import datetime
import re
from typing import Any

from pybridge.cli.recorded import Recorded
from pybridge.cli.times import ago, clock
from pybridge.host.model import ABSENT
from pybridge.mirror.journal_entry import ChangedFile, Entry, Side, State
from pybridge.tools.three_way import content_diff

_STATES = {
    State.PENDING: "not known to be made (under way, or its OpenCode was killed)",
    State.UNDOING: "not known to be undone (that was begun, and broken off)",
    State.UNKNOWN: "not known to be made (the connection was lost)",
}
# What a terminal would obey: a file's content and name are anybody's.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def place(entry: Entry) -> str:
    """Where a change was made."""
    return f"{entry.target.host}:{entry.target.workdir}"


def describe(change: Recorded, id: str, now: datetime.datetime, *, diff: bool) -> str:
    """A change over several lines.

    Args:
        id: how the change is named to the reader.
        diff: with the diffs of its files.
    """
    entry = change.entry
    state = _STATES.get(entry.state, entry.state.value)
    lines = [f"{id}  {ago(entry.time, now)} ({clock(entry.time)})  {entry.origin.tool}  {state}"]
    lines += [f"    {letter(file)} {file.path}" for file in entry.files]
    if entry.trouble is not None:
        lines.append(f"    could not be restored ({ago(entry.trouble.time, now)}): {entry.trouble.text}")
    if diff:
        lines += ["", *(file_diff(change, index) for index in range(len(entry.files)))]
    return visible("\n".join(lines))


def letter(file: ChangedFile) -> str:
    """Added, modified or deleted."""
    if file.before == ABSENT:
        return "A"
    return "D" if file.after == ABSENT else "M"


def file_diff(change: Recorded, index: int, *, most_lines: int | None = 200) -> str:
    """What a change did to one of its files."""
    file = change.entry.files[index]
    if not all(change.records.holds(change.entry, index, side) for side in Side):
        return f"{file.path}: the journal's copy is missing or damaged, so it cannot be shown.\n"
    before, after = (change.records.content(change.entry, index, side) for side in (Side.BEFORE, Side.AFTER))
    return content_diff(file.path, before, after, most_lines=most_lines)


def to_json(change: Recorded, *, diff: bool) -> dict[str, Any]:
    """A change as data; paths that are not UTF-8 hold lone surrogates, escaped."""
    entry = change.entry
    files = []
    for index, file in enumerate(entry.files):
        row: dict[str, Any] = {"path": file.path, "real": file.real}
        for side in Side:
            version = file.version(side)
            row[side.value] = None if version == ABSENT else {"digest": version.digest, "size": version.size}
        files.append(row | ({"diff": file_diff(change, index, most_lines=None)} if diff else {}))
    trouble = entry.trouble
    return {
        "id": entry.id,
        "time": entry.time.isoformat(),
        "state": entry.state.value,
        "tool": entry.origin.tool,
        "session": entry.session_id,
        "message": entry.message_id,
        "call": entry.origin.call_id,
        "host": entry.target.host,
        "workdir": entry.target.workdir,
        "files": files,
        "trouble": None if trouble is None else {"time": trouble.time.isoformat(), "text": trouble.text},
    }


def visible(text: str) -> str:
    """The text without what a terminal would obey, newlines and tabs apart."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
