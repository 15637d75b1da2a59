"""Shows the output of a running command as it comes, no more often than a screen needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

INTERVAL = 0.25
"""Seconds between two notifications."""


class LiveOutput:
    """Throttled notifications.

    Args:
        show: sends one notification; it reads the newest state itself.
        interval: seconds between two of them.
    """

    def __init__(self, show: Callable[[], None], interval: float = INTERVAL) -> None:
        self._show = show
        self._interval = interval
        self._last = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def changed(self) -> None:
        """There is something new to show: now if the last notification is long enough ago, else as soon as it is."""
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        wait = self._last + self._interval - loop.time()
        if wait <= 0:
            self._send()
        else:
            self._timer = loop.call_later(wait, self._send)

    def stop(self) -> None:
        """No notification after this: one that came after the result would turn the call back to running."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self) -> None:
        self._timer = None
        self._last = asyncio.get_running_loop().time()
        self._show()
