"""Long work in a thread, in small pieces with pauses: while it computes, no call can (the interpreter has one lock)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

WORK_SECONDS = 0.001
PAUSE_SECONDS = 0.004


def paced(items: Iterable[T]) -> Iterator[T]:
    """The items, with a pause whenever what was done with them has taken a while."""
    begun = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - begun > WORK_SECONDS:
            time.sleep(PAUSE_SECONDS)
            begun = time.perf_counter()
