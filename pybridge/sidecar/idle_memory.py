"""Gives memory back to the system once nothing has happened for a while: what the start and large results left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable

IDLE_SECONDS = 3.0
"""How long nothing must have happened. Then it is done once, and not again until something happens."""

_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""


class IdleMemory:
    """Is told of each call; acts when there are none any more.

    Args:
        is_idle: whether nothing is under way now.
    """

    def __init__(self, is_idle: Callable[[], bool]) -> None:
        self._is_idle = is_idle
        self._timer: asyncio.TimerHandle | None = None
        self._used_at = 0.0

    def used(self) -> None:
        """Something has ended that took memory."""
        loop = asyncio.get_running_loop()
        self._used_at = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(IDLE_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        left = self._used_at + IDLE_SECONDS - loop.time()
        if left > 0:
            self._timer = loop.call_later(left, self._look)
        elif self._is_idle():
            give_back()


def keep_together() -> None:
    """Have the C library keep all threads' memory in one place, where half-empty ones of their own would add up.

    To be called before there are threads. They hardly ever allocate at the same time: the interpreter has one lock.
    """
    _ask_c_library("mallopt", _M_ARENA_MAX, 1)


def give_back() -> None:
    """Free what nobody refers to any more, and return free memory to the system where the C library keeps it."""
    gc.unfreeze()  # what was there when the start ended: see `start`
    gc.collect()
    _ask_c_library("malloc_trim", 0)


def _ask_c_library(function: str, *numbers: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):  # glibc has it; musl needs none
        getattr(ctypes.CDLL(None), function)(*numbers)
