"""Lines that remember how they end, so that a change elsewhere in a file leaves them alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LF = "\n"
CRLF = "\r\n"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `end` is `"\\n"`, `"\\r\\n"`, or `""` for a last line that no newline ends."""

    text: str
    end: str


def split_lines(text: str) -> list[Line]:
    """The lines of `text`; joining them gives `text` back. A carriage return alone ends nothing."""
    pieces = text.split(LF)
    last = pieces.pop()
    lines = [Line(piece[:-1], CRLF) if piece.endswith("\r") else Line(piece, LF) for piece in pieces]
    if last:
        lines.append(Line(last, ""))
    return lines


def join_lines(lines: Sequence[Line]) -> str:
    """The text that `lines` make, a line without an end in the middle not closed."""
    return "".join(line.text + line.end for line in lines)


def newline_of(text: str) -> str:
    """The newline OpenCode's edit takes a file to use: CRLF as soon as it contains one."""
    return CRLF if CRLF in text else LF


def end_for_insertion(lines: Sequence[Line], index: int) -> str:
    """The line end a new line at `index` takes: the line's before it, else the next line's, else LF.

    A last line that no newline ends has none to give: then it is the one's before that.
    """
    for neighbour in (index - 1, index, index - 2):
        if 0 <= neighbour < len(lines) and lines[neighbour].end:
            return lines[neighbour].end
    return LF


def to_lf(text: str) -> str:
    """`text` with every CRLF made LF."""
    return text.replace(CRLF, LF)


def to_newline(text: str, newline: str) -> str:
    """`text` with every newline, of either kind, made `newline`."""
    flat = to_lf(text)
    return flat if newline == LF else flat.replace(LF, CRLF)
