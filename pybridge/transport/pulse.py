"""Whether a connection's other side still answers: a sleeping laptop or a lost network ends no connection by itself.

A link that is well says something at every keep-alive. One that has been silent for longer is asked before it is
used (never else, so a call pays no round trip for it), and one that a harmless request waits on after a few seconds.
A link that does not answer is *silent*: nothing new is given to it, and a new connection takes its place. It is not
ended for that, since commands may run on it and the network may come back: the keep-alives decide.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from pybridge.transport.asyncssh_quietly import asyncssh

ANSWER_SECONDS = 4.0
"""How long the answer to a question may take."""

WAITED_SECONDS = 5.0
"""How long a link is not heard of, while a harmless request waits on it, until it is asked."""

LONGEST_SILENCE = 30.0
"""A link may be as silent before it is asked first, however long the user's keep-alives take."""

LOOK_SECONDS = 2.0
"""How much longer than a link that is well it must have been silent before it is looked at, by itself."""

_SLACK = 2.0


class Pulse:
    """Listens to one connection, and asks when it has been silent for too long.

    Args:
        connection: an authenticated one.
        keepalive_seconds: between its keep-alives; 0 when there are none.
        on_change: told when it falls silent, and when it is heard again.
    """

    def __init__(
        self, connection: asyncssh.SSHClientConnection, keepalive_seconds: float, on_change: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._longest = min(keepalive_seconds or LONGEST_SILENCE, LONGEST_SILENCE) + _SLACK
        self._on_change = on_change
        self._heard = self._clocks()
        self._hears = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[object]] = set()
        self.silent = False
        """It did not answer, and has not been heard since."""
        take = connection.data_received

        def data_received(data: bytes, datatype: int | None = None) -> None:
            self._hear()
            take(data, datatype)

        connection.data_received = data_received
        self._looking = asyncio.create_task(self._look())

    @property
    def silence(self) -> float:
        """Seconds since it was last heard, those in which the machine slept too (which not every clock counts)."""
        return max(now - then for now, then in zip(self._clocks(), self._heard, strict=True))

    async def answers(self) -> bool:
        """Whether it may be used. Waits only where it has been silent for longer than it can be when it is well."""
        if not self.silent and self.silence > self._longest:
            asking = self._ask()
            await asyncio.wait([asking])  # the connection's end cancels it, not whoever waits for it
            return not self.silent and not asking.cancelled()
        return not self.silent

    async def fall_silent(self) -> None:
        """Wait until it does not answer; for ever if it does. For as long as a request waits on it."""
        while not self.silent:
            if (left := WAITED_SECONDS - self.silence) > 0:
                await asyncio.sleep(left)
            else:
                await asyncio.shield(self._ask())

    def close(self) -> None:
        """Listen no more."""
        for task in (self._looking, self._asking, *self._requests):
            if task is not None:
                task.cancel()

    def _ask(self) -> asyncio.Task[None]:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._await_answer())
        return self._asking

    async def _await_answer(self) -> None:
        self._hears.clear()
        # Any answer will do, and any other word of it.
        request = asyncio.ensure_future(self._connection._make_global_request(b"keepalive@openssh.com"))
        self._requests.add(request)
        request.add_done_callback(self._forget)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._hears.wait()
        if not self._hears.is_set():
            self.silent = True
            self._on_change()

    async def _look(self) -> None:
        """Find out soon after the machine has slept, so that the next call need not, and the user sees it.

        Wakes up no more often than there are keep-alives: what was heard meanwhile only puts the next look off.
        """
        while True:
            left = self._longest - self.silence
            await asyncio.sleep(max(left, 0) + LOOK_SECONDS)
            await self.answers()

    def _hear(self) -> None:
        self._heard = self._clocks()
        self._hears.set()
        if self.silent:
            self.silent = False
            self._on_change()

    def _forget(self, request: asyncio.Task[object]) -> None:
        self._requests.discard(request)
        if not request.cancelled():
            request.exception()

    @staticmethod
    def _clocks() -> tuple[float, float]:
        return time.monotonic(), time.time()
