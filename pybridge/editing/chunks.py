"""Fits the chunks of OpenCode's patch format into a text.

A chunk says which lines stand in the file and which shall stand there instead, without line numbers. Its lines are
looked for below those of the chunk before it, in four passes: exactly; without white space at the end; at both ends;
and with typographic quotes, dashes and spaces read as plain ones. A context (`@@ def f():`) names a line to go below.

Named differences from the built-in of OpenCode 1.18.33, each a fault there:

- *CRLF stays*: there, lines that a chunk replaces or adds in a CRLF file end in LF. Here a line that stays keeps its
  end, and a new one takes that of the line before it.
- *a blank last line stays*: there, an update removes the empty line that the file, or the patch, ends in.
- *an addition at the end is not lost*: there, it is when a later chunk replaces the lines around it.

As in the built-in, a file that does not end in a newline gets one, context lines are written as the patch has them, and
a chunk that only adds lines adds them at the end of the file, before a blank last line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pybridge.editing.file_patch import verification_failed
from pybridge.editing.js_text import trim, trim_end
from pybridge.editing.text_lines import Line, end_for_insertion, join_lines, newline_of, split_lines

_PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015", "-")
    | {"\u2026": "...", "\u00a0": " "}
)

_PASSES: tuple[Callable[[str], str], ...] = (
    lambda line: line,
    trim_end,
    trim,
    lambda line: trim(line).translate(_PLAIN),
)


@dataclass(frozen=True)
class ChunkLine:
    """One line of a chunk: `kind` is a space (stays), `-` (goes) or `+` (comes)."""

    kind: str
    text: str


@dataclass(frozen=True)
class Chunk:
    """Lines to replace.

    Args:
        lines: in the order of the patch.
        context: a line of the file below which the chunk is, white space trimmed.
        end_of_file: the lines are at the end of the file, if they fit there.
    """

    lines: tuple[ChunkLine, ...]
    context: str | None = None
    end_of_file: bool = False

    @property
    def old(self) -> list[str]:
        return [line.text for line in self.lines if line.kind != "+"]


@dataclass(frozen=True)
class _Replacement:
    start: int
    count: int
    lines: tuple[ChunkLine, ...]


@dataclass(frozen=True)
class Chunks:
    """All chunks of one file."""

    chunks: tuple[Chunk, ...]

    def apply_to(self, text: str, path: str) -> str:
        """The text with every chunk in place.

        Raises:
            PatchError: the lines or the context of a chunk are not in the text.
        """
        lines = split_lines(text)
        if lines and not lines[-1].end:
            lines[-1] = Line(lines[-1].text, newline_of(text))
        result: list[Line] = []
        done = 0
        for replacement in sorted(self._replacements([line.text for line in lines], path), key=lambda r: r.start):
            # Only an addition at the end of the file can lie inside lines that are replaced; it goes below them.
            start = max(replacement.start, done)
            result += lines[done:start]
            result += _new_lines(replacement, lines, start)
            done = start + replacement.count
        return join_lines(result + lines[done:])

    def _replacements(self, texts: list[str], path: str) -> list[_Replacement]:
        found: list[_Replacement] = []
        below = 0
        for chunk in self.chunks:
            if chunk.context is not None:
                at = _seek(texts, [chunk.context], below)
                if at is None:
                    raise verification_failed(f"Error: Failed to find context '{chunk.context}' in {path}")
                below = at + 1
            old, lines = chunk.old, chunk.lines
            if not old:
                at = len(texts) - 1 if texts and texts[-1] == "" else len(texts)
                found.append(_Replacement(at, 0, lines))
                continue
            at = _seek(texts, old, below, chunk.end_of_file)
            if at is None and old[-1] == "":
                old, lines = old[:-1], _without_last_blank(lines)
                at = _seek(texts, old, below, chunk.end_of_file)
            if at is None:
                raise verification_failed(f"Error: Failed to find expected lines in {path}:\n" + "\n".join(chunk.old))
            found.append(_Replacement(at, len(old), lines))
            below = at + len(old)
        return found


def _seek(texts: list[str], wanted: list[str], below: int, at_end: bool = False) -> int | None:
    """Where `wanted` stands in `texts` at or after `below`; at the very end first, if asked."""
    size, last = len(wanted), len(texts) - len(wanted)
    if size == 0 or last < below:
        return None
    for read in _PASSES:
        have, want = [read(line) for line in texts], [read(line) for line in wanted]
        if at_end and have[last:] == want:
            return last
        for at in range(below, last + 1):
            if have[at] == want[0] and have[at : at + size] == want:
                return at
    return None


def _without_last_blank(lines: tuple[ChunkLine, ...]) -> tuple[ChunkLine, ...]:
    """The chunk without the empty line that ends its old lines, and without the one that ends its new lines."""
    kept = list(lines)
    last_old = max(place for place, line in enumerate(kept) if line.kind != "+")
    kept[last_old : last_old + 1] = [ChunkLine("+", "")] if kept[last_old].kind == " " else []
    last_new = max((place for place, line in enumerate(kept) if line.kind != "-"), default=None)
    if last_new is not None and kept[last_new].text == "":
        kept[last_new : last_new + 1] = [ChunkLine("-", "")] if kept[last_new].kind == " " else []
    return tuple(kept)


def _new_lines(replacement: _Replacement, lines: list[Line], start: int) -> list[Line]:
    result: list[Line] = []
    at = start
    for line in replacement.lines:
        if line.kind == "+":
            result.append(Line(line.text, end_for_insertion(lines, at)))
            continue
        if line.kind == " ":
            result.append(Line(line.text, lines[at].end))
        at += 1
    return result
