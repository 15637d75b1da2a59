"""The pages of text that OpenCode's read shows: numbered lines, and a last line that says how to go on.

The limits are OpenCode 1.18.33's: 2000 lines and 51200 bytes of UTF-8 a page, 2000 UTF-16 code units a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pybridge.editing.js_text import BOM, first_units, length, utf8_length
from pybridge.errors import OffsetRangeError

MAX_LINES = 2000
MAX_BYTES = 51200
MAX_LINE_LENGTH = 2000
"""Longest line shown whole, in UTF-16 code units."""

MAX_LINE_BYTES = 3 * (MAX_LINE_LENGTH + 1) + 3
"""How many bytes of a line suffice to show it and to see that it is too long: a code unit is at most three bytes."""

_TOO_LONG = f"... (line truncated to {MAX_LINE_LENGTH} chars)"
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Page:
    """Some lines of a file, ready to be shown.

    Args:
        lines: as shown, long ones shortened, without numbers.
        first: the number of the first line, counted from 1.
        total: lines of the file. Of a page cut by its size it is the first line left out, as in the built-in.
        cut: the page ends because it is full, before the lines asked for are.
        more: there are lines after it.
    """

    lines: tuple[str, ...]
    first: int
    total: int
    cut: bool
    more: bool

    @property
    def last(self) -> int:
        """The number of the last line shown; `first - 1` if there is none."""
        return self.first + len(self.lines) - 1

    @property
    def truncated(self) -> bool:
        return self.cut or self.more

    @property
    def text(self) -> str:
        """The lines without numbers."""
        return "\n".join(self.lines)

    @property
    def ending(self) -> str:
        """What stands below the lines."""
        go_on = f"Use offset={self.last + 1} to continue."
        if self.cut:
            return f"(Output capped at 50 KB. Showing lines {self.first}-{self.last}. {go_on})"
        if self.more:
            return f"(Showing lines {self.first}-{self.last} of {self.total}. {go_on})"
        return f"(End of file - total {self.total} lines)"

    @property
    def numbered(self) -> str:
        """The lines with numbers, an empty line, and the ending."""
        rows = [f"{number}: {line}" for number, line in enumerate(self.lines, self.first)]
        return "\n".join(rows) + "\n\n" + self.ending

    def output(self, path: str) -> str:
        """What read answers for the file at `path`."""
        return f"<path>{path}</path>\n<type>file</type>\n<content>\n{self.numbered}\n</content>"

    def preview(self, count: int = 20) -> str:
        """The first lines, for the metadata."""
        return "\n".join(self.lines[:count])


def split_for_reading(text: str) -> list[str]:
    """The lines of a text as read counts them: without byte order mark, a carriage return alone ending a line too."""
    lines = _LINE_END.split(text.removeprefix(BOM))
    if lines[-1] == "":
        lines.pop()
    return lines


def page(lines: Iterable[str], total: int, *, first: int = 1, limit: int = MAX_LINES) -> Page:
    """The page of lines that begins at `first`.

    Args:
        lines: the lines from number `first` on, without line ends; no more than a page of them is used. A line may be
            cut, at MAX_LINE_BYTES or more.
        total: how many lines the whole file has.
        first: the number of the first line of `lines`, counted from 1.
        limit: how many lines to show at most.

    Raises:
        OffsetRangeError: the file has fewer than `first` lines, an empty file excepted.
    """
    if total < first and not (total == 0 and first == 1):
        raise OffsetRangeError(f"Offset {first} is out of range for this file ({total} lines)")
    shown: list[str] = []
    size = 0
    for line in lines:
        if len(shown) >= limit:
            break
        text = first_units(line, MAX_LINE_LENGTH) + _TOO_LONG if length(line) > MAX_LINE_LENGTH else line
        added = utf8_length(text) + (1 if shown else 0)
        if size + added > MAX_BYTES:
            return Page(tuple(shown), first, first + len(shown), cut=True, more=True)
        shown.append(text)
        size += added
    return Page(tuple(shown), first, total, cut=False, more=first + len(shown) <= total)


def page_of_text(text: str, *, offset: int | None = None, limit: int | None = None) -> Page:
    """The page of a whole text, `offset` and `limit` as read is given them.

    Args:
        text: the text of the file, with or without byte order mark.
        offset: the first line, counted from 1; 0 means 1.
        limit: how many lines; None for 2000.

    Raises:
        OffsetRangeError: as `page`.
    """
    first = offset or 1
    lines = split_for_reading(text)
    return page(lines[first - 1 :], len(lines), first=first, limit=MAX_LINES if limit is None else limit)


def page_of_slice(
    lines: Iterable[bytes], total: int, *, offset: int | None = None, limit: int | None = None, codec: str = "utf-8"
) -> Page:
    """The page of lines that were cut out on the remote.

    Args:
        lines: the bytes of the lines from number `offset` on, each without its newline, each at least MAX_LINE_BYTES
            long or whole. A carriage return at the end of one belongs to its line end.
        total: how many lines the whole file has.
        offset: as in `page_of_text`.
        limit: as in `page_of_text`.
        codec: an encoding in which a newline is the byte 10; what does not decode is shown as U+FFFD.

    Raises:
        OffsetRangeError: as `page`.
    """
    first = offset or 1
    texts = (raw.removesuffix(b"\r").decode(codec, "replace") for raw in lines)
    if first == 1:
        texts = (line.removeprefix(BOM) if number == 0 else line for number, line in enumerate(texts))
    return page(texts, total, first=first, limit=MAX_LINES if limit is None else limit)
