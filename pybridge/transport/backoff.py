"""Pauses between attempts to connect that fail: a server that restarts is not hammered, and found again soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 4.0


class Backoff:
    """Counts failures in a row. The pause doubles with each, up to a few seconds: a call is never late by more.

    Args:
        clock: seconds that also pass while the machine sleeps.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._failures = 0
        self._failed_at = 0.0

    @property
    def pause(self) -> float:
        """Seconds until the next attempt may be made."""
        if not self._failures:
            return 0.0
        pause = min(FIRST_PAUSE * 2 ** (self._failures - 1), LONGEST_PAUSE)
        passed = self._clock() - self._failed_at
        return max(0.0, pause - passed) if passed >= 0 else pause

    def failed(self) -> None:
        """An attempt failed now."""
        self._failures = min(self._failures + 1, 10)
        self._failed_at = self._clock()

    def succeeded(self) -> None:
        """There is a connection."""
        self._failures = 0

    async def wait(self) -> None:
        """Wait until the next attempt may be made."""
        if (pause := self.pause) > 0:
            await asyncio.sleep(pause)
