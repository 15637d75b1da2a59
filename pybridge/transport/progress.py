"""How far an attempt to connect has come, and how long it may go on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from pybridge.transport.login import Login
from pybridge.transport.secret_sources import ANSWER_SECONDS

PATIENCE_SECONDS = ANSWER_SECONDS + 10
"""How long an attempt to connect may wait for a person in all: longer than the question itself."""


class Progress:
    """What is being waited for, in words for a timeout, and until when.

    Args:
        unattended: nobody is to be asked anything.
    """

    def __init__(self, *, unattended: bool = False) -> None:
        self.unattended = unattended
        self.needed_a_person = False
        """Whether one of the servers was told more than a key."""
        self.stage = "connecting"
        self.limit: asyncio.Timeout | None = None
        self.login: Login | None = None
        self.waited = 0.0
        """Seconds in which somebody may have been asked."""

    @contextlib.asynccontextmanager
    async def patiently(self, stage: str) -> AsyncIterator[None]:
        """A block that may wait for a person, which is not the server's time; it has a limit of its own."""
        limit, before = self.limit, self.stage
        when = limit.when() if limit is not None and not limit.expired() else None
        if limit is None or when is None:
            yield
            return
        loop = asyncio.get_running_loop()
        started = loop.time()
        limit.reschedule(started + PATIENCE_SECONDS)
        self.stage = stage
        try:
            yield
        finally:
            self.waited += loop.time() - started
            if not limit.expired():
                self.stage = before
                with contextlib.suppress(RuntimeError):  # the connection was given up meanwhile
                    limit.reschedule(when + loop.time() - started)
