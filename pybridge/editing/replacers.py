"""The nine ways OpenCode's edit looks for oldString in a file, each more forgiving than the one before.

A replacer takes the file's text and oldString and yields spans of the file that oldString may mean; `replace` takes
the first of them that can be used. Semantics and order are those of OpenCode 1.18.33.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator

from pybridge.editing.js_text import WHITESPACE_RUN, leading_whitespace, length, trim, trim_start, words
from pybridge.editing.levenshtein import distance

Replacer = Callable[[str, str], Iterator[str]]

BLOCK_SIMILARITY = 0.65
"""How alike the middle of a block must be, from 0 to 1, when only its first and last line are the same."""


def simple(text: str, old: str) -> Iterator[str]:
    """oldString as it is."""
    yield old


def line_trimmed(text: str, old: str) -> Iterator[str]:
    """Whole lines that are the same but for white space at both ends."""
    lines, wanted = text.split("\n"), _without_last_empty(old.split("\n"))
    trimmed, pattern = [trim(line) for line in lines], [trim(line) for line in wanted]
    for start in _windows(trimmed, len(pattern)):
        if trimmed[start : start + len(pattern)] == pattern:
            yield "\n".join(lines[start : start + len(pattern)])


def block_anchor(text: str, old: str) -> Iterator[str]:
    """Of the blocks whose first and last line are oldString's, the one whose middle is most like it."""
    wanted = old.split("\n")
    if len(wanted) < 3:
        return
    wanted = [trim(line) for line in _without_last_empty(wanted)]
    lines = text.split("\n")
    trimmed = [trim(line) for line in lines]
    tolerance = max(1, len(wanted) // 4)
    blocks = [
        (start, end) for start, end in _anchored(trimmed, wanted) if abs(end - start + 1 - len(wanted)) <= tolerance
    ]
    if not blocks:
        return
    if len(blocks) == 1:
        start, end = blocks[0]
        best = _similarity(trimmed[start : end + 1], wanted, enough=BLOCK_SIMILARITY)
    else:
        best, (start, end) = -1.0, blocks[0]
        for block in blocks:
            likeness = _similarity(trimmed[block[0] : block[1] + 1], wanted)
            if likeness > best:
                best, (start, end) = likeness, block
    if best >= BLOCK_SIMILARITY:
        yield "\n".join(lines[start : end + 1])


def whitespace_normalized(text: str, old: str) -> Iterator[str]:
    """Lines, or a part of one, that are the same once each run of white space is one space."""
    wanted = words(old)
    normal = " ".join(wanted)
    expression = re.compile(WHITESPACE_RUN.join(map(re.escape, wanted)))
    lines = text.split("\n")
    words_of = [words(line) for line in lines]
    for line, own in zip(lines, words_of, strict=True):
        here = " ".join(own)
        if here == normal:
            yield line
        elif normal in here:
            found = expression.search(line)
            if found:
                yield found[0]
    size = old.count("\n") + 1
    if size == 1:
        return
    flat, starts = [], [0]
    for own in words_of:
        flat.extend(own)
        starts.append(len(flat))
    for start in _windows(lines, size):
        begin, end = starts[start], starts[start + size]
        if end - begin == len(wanted) and flat[begin:end] == wanted:
            yield "\n".join(lines[start : start + size])


def indentation_flexible(text: str, old: str) -> Iterator[str]:
    """Whole lines that are the same once the indentation they share is taken away."""
    lines, wanted = text.split("\n"), old.split("\n")
    size, pattern = len(wanted), _without_indentation(wanted)
    # The ends of the lines must agree whatever the indentation; comparing them first is cheap.
    heads, wanted_heads = [trim_start(line) for line in lines], [trim_start(line) for line in wanted]
    for start in _windows(lines, size):
        block = lines[start : start + size]
        if heads[start : start + size] == wanted_heads and _without_indentation(block) == pattern:
            yield "\n".join(block)


def escape_normalized(text: str, old: str) -> Iterator[str]:
    """oldString with its escape sequences (newline, tab, quotes) read as what they stand for; or lines that do so."""
    wanted = _unescape(old)
    if wanted in text:
        yield wanted
    lines, size = text.split("\n"), wanted.count("\n") + 1
    # No escape sequence goes on after a newline, so lines can be read one by one.
    inner = [_unescape(line + "\n") for line in lines]
    for start in _windows(lines, size):
        at = 0
        for offset in range(start, start + size - 1):
            if not wanted.startswith(inner[offset], at):
                break
            at += len(inner[offset])
        else:
            if wanted[at:] == _unescape(lines[start + size - 1]):
                yield "\n".join(lines[start : start + size])


def trimmed_boundary(text: str, old: str) -> Iterator[str]:
    """oldString without white space at both ends; or lines that are so."""
    wanted = trim(old)
    if wanted == old:
        return
    if wanted in text:
        yield wanted
        lines, size = text.split("\n"), old.count("\n") + 1
        for start in _windows(lines, size):
            block = "\n".join(lines[start : start + size])
            if trim(block) == wanted:
                yield block


def context_aware(text: str, old: str) -> Iterator[str]:
    """Blocks of the same number of lines, with the same first and last line and half of the others."""
    wanted = old.split("\n")
    if len(wanted) < 3:
        return
    wanted = [trim(line) for line in _without_last_empty(wanted)]
    lines = text.split("\n")
    trimmed = [trim(line) for line in lines]
    for start, end in _anchored(trimmed, wanted):
        if end - start + 1 != len(wanted):
            continue
        pairs = [pair for pair in zip(trimmed[start + 1 : end], wanted[1:-1], strict=True) if any(pair)]
        if not pairs or sum(here == there for here, there in pairs) / len(pairs) >= 0.5:
            yield "\n".join(lines[start : end + 1])


def multi_occurrence(text: str, old: str) -> Iterator[str]:
    """oldString as it is, however often."""
    if old in text:
        yield old


REPLACERS: tuple[Replacer, ...] = (
    simple,
    line_trimmed,
    block_anchor,
    whitespace_normalized,
    indentation_flexible,
    escape_normalized,
    trimmed_boundary,
    context_aware,
    multi_occurrence,
)


def is_much_larger(span: str, old: str) -> bool:
    """The span guard: a span so much larger than oldString that it cannot be what was meant."""
    old_lines = old.count("\n") + 1
    if span.count("\n") + 1 >= max(old_lines + 3, 2 * old_lines):
        return True
    if old_lines == 1:
        return False
    old_length = length(trim(old))
    return length(trim(span)) > max(old_length + 500, old_length * 4)


def _windows(lines: list[str], size: int) -> range:
    return range(len(lines) - size + 1)


def _without_last_empty(lines: list[str]) -> list[str]:
    return lines[:-1] if lines[-1] == "" else lines


def _anchored(trimmed: list[str], wanted: list[str]) -> Iterator[tuple[int, int]]:
    """Each line that is the first wanted one, with the nearest line that is the last, two or more lines below."""
    ends = [index for index, line in enumerate(trimmed) if line == wanted[-1]]
    for start, line in enumerate(trimmed):
        if line == wanted[0]:
            at = bisect_left(ends, start + 2)
            if at < len(ends):
                yield start, ends[at]


def _similarity(block: list[str], wanted: list[str], enough: float | None = None) -> float:
    """How alike two blocks are between their first and last lines, from 0 to 1.

    The sum is built as the original builds it, with `enough` divided line by line and else at the end: the two differ
    in the last bit, which counts at the threshold.
    """
    middle = min(len(wanted), len(block)) - 2
    if middle <= 0:
        return 1.0
    total = 0.0
    for here, there in zip(block[1 : middle + 1], wanted[1 : middle + 1], strict=True):
        longest = max(length(here), length(there))
        if longest == 0:
            continue
        likeness = 1 - distance(here, there) / longest
        if enough is None:
            total += likeness
        else:
            total += likeness / middle
            if total >= enough:
                return total
    return total if enough is not None else total / middle


def _without_indentation(lines: list[str]) -> list[str]:
    depths = [leading_whitespace(line) for line in lines if trim(line)]
    if not depths:
        return lines
    shared = min(depths)
    return [line[shared:] if trim(line) else line for line in lines]


_ESCAPE = re.compile(r"\\([ntr'\"`\\\n$])")
_MEANING = {"n": "\n", "t": "\t", "r": "\r"}


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda found: _MEANING.get(found[1], found[1]), text) if "\\" in text else text
