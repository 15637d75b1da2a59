"""A new content as what it differs from the old one in: only that has to travel, the rest is on the remote already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_WORTH_BYTES = 24 * 1024
"""What must be spared: below, the two programs that copy the rest take longer than sending it."""


@dataclass(frozen=True)
class Difference:
    """How a new content is put together.

    Args:
        before: so many bytes of the old content's beginning.
        new: what comes then.
        after: so many bytes of the old content's end follow.
    """

    before: int
    new: bytes
    after: int


def difference(old: bytes | None, new: bytes) -> Difference | None:
    """What of `new` has to be sent to somebody who has `old`; None where all of it is to be.

    Args:
        old: None where there is nothing.
    """
    if old is None or min(len(old), len(new)) < _WORTH_BYTES:
        return None
    shorter = min(len(old), len(new))
    before = _most(shorter, lambda low, high: old[low:high] == new[low:high])
    ends = len(old), len(new)
    after = _most(
        shorter - before,
        lambda low, high: old[ends[0] - high : ends[0] - low] == new[ends[1] - high : ends[1] - low],
    )
    if before + after < _WORTH_BYTES:
        return None
    return Difference(before, new[before : len(new) - after], after)


def _most(limit: int, alike: Callable[[int, int], bool]) -> int:
    """The greatest number up to `limit` up to which all is alike; `alike` tells it of a span."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if alike(low, middle):
            low = middle
        else:
            high = middle - 1
    return low
