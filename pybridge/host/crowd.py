"""Whether many commands have just run at once: then many may again, and their shells are made ready for a while.

An agent that sends many commands at once often sends as many with its next step. Each that finds its shell ready is one
round trip, and the start of the shell is over by then. It costs the remote as many idle shells, and not for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

CROWD = 8
"""Commands at once that make a crowd."""

PAUSE_SECONDS = 0.1
"""From the end of a crowd until its next shells are started, so that they are in nobody's way."""

KEPT_SECONDS = 4.0
"""How long they are kept for the next crowd."""


class Crowd:
    """Counts the commands that run at once.

    Args:
        prepare: has so many shells made ready.
        let_go: lets go of those that have waited in vain.
    """

    def __init__(self, prepare: Callable[[int], None], let_go: Callable[[], None]) -> None:
        self._prepare = prepare
        self._let_go = let_go
        self._most = 0
        self._timer: asyncio.TimerHandle | None = None

    def running(self, count: int) -> None:
        """So many commands run, or are about to."""
        self._most = max(self._most, count)

    def over(self) -> None:
        """None runs any more."""
        most, self._most = self._most, 0
        if most >= CROWD:
            self._later(PAUSE_SECONDS, lambda: self._make_ready(most))

    def close(self) -> None:
        """Have no more shells made ready."""
        if self._timer is not None:
            self._timer.cancel()

    def _make_ready(self, count: int) -> None:
        self._later(KEPT_SECONDS, self._let_go)
        self._prepare(count)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self.close()
        self._timer = asyncio.get_running_loop().call_later(seconds, act)
