"""How OpenCode shortens long output: at most 2000 lines and 51200 bytes of UTF-8, from one end or the other."""

from __future__ import annotations

from dataclasses import dataclass

from pybridge.editing.js_text import last_units, length, utf8_length, without_surrogates

MAX_LINES = 2000
MAX_BYTES = 51200
METADATA_CHARACTERS = 30000
"""How much of a command's output its metadata keeps, in UTF-16 code units."""


@dataclass(frozen=True)
class Shortened:
    """What remains of a text.

    Args:
        text: whole lines, or the end of one that alone is too long.
        cut: something is missing.
        removed: how much is missing, in `unit`.
        unit: `"lines"`, or `"bytes"` where the limit of bytes came first.
    """

    text: str
    cut: bool = False
    removed: int = 0
    unit: str = "lines"


def keep_tail(text: str, *, max_lines: int = MAX_LINES, max_bytes: int = MAX_BYTES) -> Shortened:
    """The last lines, as the built-in bash keeps them: of a last line that is too long, its end."""
    return _shorten(text, max_lines, max_bytes, from_end=True)


def keep_head(text: str, *, max_lines: int = MAX_LINES, max_bytes: int = MAX_BYTES) -> Shortened:
    """The first lines, as OpenCode keeps them of any other tool's output; none if the first is too long."""
    return _shorten(text, max_lines, max_bytes, from_end=False)


def _shorten(text: str, max_lines: int, max_bytes: int, *, from_end: bool) -> Shortened:
    lines = text.split("\n")
    total = utf8_length(text)
    if len(lines) <= max_lines and total <= max_bytes:
        return Shortened(text)
    kept: list[str] = []
    used = 0
    for line in reversed(lines) if from_end else lines:
        if len(kept) == max_lines:
            break
        size = utf8_length(line) + (1 if kept else 0)
        if used + size > max_bytes:
            if from_end and not kept:
                kept.append(_end_of(line, max_bytes))
                used = utf8_length(kept[0])
            return Shortened(_joined(kept, from_end), True, total - used, "bytes")
        kept.append(line)
        used += size
    return Shortened(_joined(kept, from_end), True, len(lines) - len(kept))


def _joined(lines: list[str], reverse: bool) -> str:
    return "\n".join(reversed(lines) if reverse else lines)


def _end_of(line: str, max_bytes: int) -> str:
    """The last `max_bytes` bytes of a line, less what is left of a character cut in two."""
    raw = without_surrogates(line).encode("utf-8")[-max_bytes:] if max_bytes else b""
    start = 0
    while start < len(raw) and raw[start] & 0xC0 == 0x80:
        start += 1
    return raw[start:].decode("utf-8")


def last_characters(text: str, count: int = METADATA_CHARACTERS) -> str:
    """The end of a command's output for its metadata, with `...` and an empty line before it where it was cut."""
    if length(text) <= count:
        return text
    return "...\n\n" + last_units(text, count)
