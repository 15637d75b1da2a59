"""Which lines differ between two texts, decided exactly as the npm package `diff` (version 8) decides.

The algorithm is Myers' ("An O(ND) Difference Algorithm and Its Variations", 1986): the furthest reaching path on each
diagonal is extended edit by edit. Many shortest edit scripts are equally short; which one is found depends on the order
in which paths are tried, and that order is the package's: on each diagonal the path that has consumed more of the old
lines wins, and a tie goes to removing.
"""

from __future__ import annotations

import enum
import io
from collections.abc import Sequence
from dataclasses import dataclass

_FEW = 16
"""Common lines that are counted one by one."""

MAX_STEPS = 600_000
"""How many path extensions a comparison may cost, about half a second, before it gives up being minimal."""


class Kind(enum.Enum):
    SAME = " "
    ADDED = "+"
    REMOVED = "-"


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive lines that are the same, added or removed; each with its newline."""

    kind: Kind
    lines: tuple[str, ...]


def tokenize(text: str) -> list[str]:
    """The lines of `text`, each with its newline; only `\\n` ends a line."""
    return io.StringIO(text, newline="\n").readlines()


def diff_lines(old: str, new: str, *, max_steps: int = MAX_STEPS) -> list[Run]:
    """The runs of lines that lead from `old` to `new`.

    Args:
        max_steps: path extensions to spend. When they do not suffice, everything between the common beginning and the
            common end counts as replaced: correct, but not minimal.
    """
    a, b = tokenize(old), tokenize(new)
    if a[:1] != b[:1] and not set(a).intersection(b):
        return _replaced(a, b)
    script = _shortest_script(a, b, max_steps)
    if script is None:
        return _coarse(a, b)
    runs, at_a, at_b = [], 0, 0
    for kind, count in script:
        source, at = (b, at_b) if kind is Kind.ADDED else (a, at_a)
        runs.append(Run(kind, tuple(source[at : at + count])))
        at_a += 0 if kind is Kind.ADDED else count
        at_b += 0 if kind is Kind.REMOVED else count
    return runs


def count_changes(old: str, new: str) -> tuple[int, int]:
    """How many lines were added and how many removed."""
    return count_lines(diff_lines(old, new))


def count_lines(runs: Sequence[Run]) -> tuple[int, int]:
    """How many lines these runs add and how many they remove."""
    added = sum(len(run.lines) for run in runs if run.kind is Kind.ADDED)
    return added, sum(len(run.lines) for run in runs if run.kind is Kind.REMOVED)


# A path is a linked list of steps from the last back to the first: (kind, how many lines, the step before).
_Path = tuple[Kind, int, "_Path | None"]


def _shortest_script(a: Sequence[str], b: Sequence[str], max_steps: int) -> list[tuple[Kind, int]] | None:
    size_a, size_b = len(a), len(b)
    # Per diagonal (lines of old consumed minus lines of new consumed): lines of old consumed, and the path so far.
    reach: dict[int, tuple[int, _Path | None]] = {}
    position = _common(a, b, 0, 0)
    path: _Path | None = (Kind.SAME, position, None) if position else None
    if position == size_a == size_b:
        return _unlink(path)
    reach[0] = (position, path)
    lowest, highest, steps = -(size_a + size_b), size_a + size_b, 0
    for edits in range(1, size_a + size_b + 1):
        for diagonal in range(max(lowest, -edits), min(highest, edits) + 1, 2):
            steps += 1
            below = reach.pop(diagonal - 1, None)
            above = reach.get(diagonal + 1)
            can_add = above is not None and 0 <= above[0] - diagonal - 1 < size_b
            can_remove = below is not None and below[0] < size_a
            if not can_add and not can_remove:
                reach.pop(diagonal, None)
                continue
            if above is not None and (not can_remove or (can_add and below is not None and below[0] < above[0])):
                kind, (position, path) = Kind.ADDED, above
            else:
                assert below is not None
                kind, (position, path) = Kind.REMOVED, (below[0] + 1, below[1])
            repeats = path is not None and path[0] is kind
            path = (kind, path[1] + 1, path[2]) if path is not None and repeats else (kind, 1, path)
            same = _common(a, b, position, position - diagonal)
            if same:
                path = (Kind.SAME, same, path)
                position += same
            if position >= size_a and position - diagonal >= size_b:
                return _unlink(path)
            reach[diagonal] = (position, path)
            # Beyond a diagonal on which one side is used up, no path can be shorter.
            if position - diagonal >= size_b:
                lowest = max(lowest, diagonal + 1)
            if position >= size_a:
                highest = min(highest, diagonal - 1)
                break
        if steps > max_steps:
            return None
    return None


def _common(a: Sequence[str], b: Sequence[str], at_a: int, at_b: int) -> int:
    start, size_a, size_b = at_a, len(a), len(b)
    many = _FEW
    while at_a < size_a and at_b < size_b and a[at_a] == b[at_b]:
        at_a += 1
        at_b += 1
        if at_a - start >= many:  # it may be most of a file: compared in pieces that grow
            while at_a + many <= size_a and a[at_a : at_a + many] == b[at_b : at_b + many]:
                at_a, at_b, many = at_a + many, at_b + many, 2 * many
            many = size_a  # the rest line by line
    return at_a - start


def _unlink(path: _Path | None) -> list[tuple[Kind, int]]:
    script = []
    while path is not None:
        kind, count, path = path
        script.append((kind, count))
    script.reverse()
    return script


def _replaced(old: Sequence[str], new: Sequence[str]) -> list[Run]:
    runs = [Run(Kind.REMOVED, tuple(old)), Run(Kind.ADDED, tuple(new))]
    return [run for run in runs if run.lines]


def _coarse(a: list[str], b: list[str]) -> list[Run]:
    shorter = min(len(a), len(b))
    head = 0
    while head < shorter and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < shorter - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    middle = _replaced(a[head : len(a) - tail], b[head : len(b) - tail])
    runs = [Run(Kind.SAME, tuple(a[:head])), *middle, Run(Kind.SAME, tuple(a[len(a) - tail :]))]
    return [run for run in runs if run.lines]
