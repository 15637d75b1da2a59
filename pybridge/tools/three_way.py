"""The diffs a person decides by: of one file of a change, and of what became of it since."""

from __future__ import annotations

from collections.abc import Sequence

from pybridge.editing.binary import looks_binary
from pybridge.editing.encoding import decode
from pybridge.editing.unified_diff import unified_diff
from pybridge.host.model import Fetched, FileKind

MOST_LINES = 200
"""Lines of a diff that are shown."""


def content_diff(path: str, old: bytes | None, new: bytes | None, *, most_lines: int | None = MOST_LINES) -> str:
    """What leads from one content of a file to another, for a person.

    Args:
        old, new: None where there is no file.
        most_lines: the rest is only counted; None shows all.

    Returns:
        a unified diff with the paths above it, or a line that says why there is none.
    """
    head = f"--- {path if old is not None else '/dev/null'}\n+++ {path if new is not None else '/dev/null'}\n"
    if any(content is not None and looks_binary(content) for content in (old, new)):
        return f"{head}binary: {_size(old)}, then {_size(new)}\n"
    before, after = decode(old or b""), decode(new or b"")
    diff = unified_diff(path, before.shown, after.shown)
    # Its own head names one path twice, below a line for another tool.
    lines = diff.split("\n")[4:-1]
    if not lines:
        only = "the bytes differ, the text does not" if old is not None and new is not None else "empty"
        return f"{head}{only}\n"
    if most_lines is not None and len(lines) > most_lines:
        lines = [*lines[:most_lines], f"... {len(lines) - most_lines} more lines"]
    return head + "\n".join(lines) + "\n"


def three_way(path: str, sides: Sequence[bytes | None] | None, now: Fetched, *, redo: bool) -> str:
    """What a change did to a file, and what has happened to it since.

    Args:
        sides: what is to be put back, and what the file is expected to hold; None if the journal has lost one.
        now: the file as it is.
        redo: whether the change is to be made again, not undone.
    """
    if sides is None:
        return f"{path}: the journal's copies are missing or damaged, so there is nothing to compare.\n"
    wanted, expected = sides
    old, new = (expected, wanted) if redo else (wanted, expected)
    since = "undone" if redo else "made"
    return (
        f"What the change did:\n{content_diff(path, old, new)}"
        f"What happened to the file since it was {since}:\n{_since(path, expected, now)}"
    )


def _since(path: str, expected: bytes | None, now: Fetched) -> str:
    if now.kind is FileKind.DIRECTORY:
        return f"{path} is a folder now.\n"
    if now.kind is FileKind.SPECIAL:
        return f"{path} is a FIFO, a socket or a device now.\n"
    if now.kind is FileKind.FILE and now.content is None:
        return f"{path} has {now.stat.size if now.stat else 0} bytes now, too many to compare.\n"
    return content_diff(path, expected, now.content)


def _size(content: bytes | None) -> str:
    return "no file" if content is None else f"{len(content)} bytes"
