"""Starts shells on a carrier: said the way the login shell takes it, and with room made where the server allows few.

A server may allow one channel per connection (MaxSessions 1) and few connections. Shells that wait for work must not
keep out those that somebody waits for, so one of them is given up for each start that would wait otherwise.

Where opening a channel is delicate, no shell is started while one that is about to end has not done so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from pybridge.errors import ChannelError
from pybridge.host.login_shell import START_COMMAND
from pybridge.transport.process import ByteProcess, Carrier, Expecting, Limited

_LOOK_SECONDS = 0.05
_PAUSE_SECONDS = 0.4
"""Between two shells given up: a closed channel is free only when the server says so."""

_LAST_SECONDS = 2.0
"""How long a start waits until the very last idle shell is given up for it."""

_PATIENCE_SECONDS = 1.0
"""How long what somebody waits for is put off until a short process has ended."""

Spare = Callable[[bool], bool]
"""Gives up an idle shell, the last one of its kind only if told so; whether it did."""


class NoRoomError(ChannelError):
    """The server allows no further process now, and nobody waits for this one."""


class ShellCarrier:
    """A carrier whose `START_COMMAND` is said the way this remote's login shell takes it (implements `Carrier`).

    Args:
        carrier: what starts processes.
    """

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._limited = carrier if isinstance(carrier, Limited) else None
        self._given_up_at = 0.0
        self._short = 0
        self._none_short = asyncio.Event()
        self._none_short.set()
        self.spares: list[Spare] = []
        """What may be given up to make room, the dearest last."""
        self.way = START_COMMAND
        """What is sent in place of `START_COMMAND`."""

    @property
    def opening_is_delicate(self) -> bool:
        return self._carrier.opening_is_delicate

    @property
    def crowded(self) -> bool:
        """A start waits, and goes on only when a process of ours has ended."""
        return self._limited is not None and self._limited.crowded

    @property
    def places(self) -> int | None:
        """How many processes there can be at once, as far as is known; None for any number."""
        return self._limited.places if self._limited is not None else None

    def expect(self, count: int) -> None:
        """Say that so many starts will follow right after the next one."""
        if isinstance(self._carrier, Expecting):
            self._carrier.expect(count)

    async def start(
        self, command: str, *, stdin: bytes = b"", reconnect: bool = True, wanted: Callable[[], bool] = lambda: True
    ) -> ByteProcess:
        """Start a command; see `Carrier.start`.

        Args:
            wanted: whether somebody waits for it, so that room is to be made.

        Raises:
            NoRoomError: the server allows no further process, and it is not wanted.
        """
        await self._none_about_to_end(wanted)
        starting = self._carrier.start(self._said(command), stdin=stdin, reconnect=reconnect)
        return await self._with_room(starting, wanted)

    @contextlib.asynccontextmanager
    async def short(self, command: str, *, stdin: bytes, reconnect: bool) -> AsyncIterator[ByteProcess]:
        """A process that soon ends by itself, closed in any case; see `Carrier.start`."""
        self._short += 1
        self._none_short.clear()
        process = None
        try:
            starting = self._carrier.start(self._said(command), stdin=stdin, reconnect=reconnect)
            process = await self._with_room(starting, lambda: True)
            yield process
        finally:
            if process is not None:
                process.close()
            self._short -= 1
            if not self._short:
                self._none_short.set()

    async def _none_about_to_end(self, wanted: Callable[[], bool]) -> None:
        while self.opening_is_delicate and self._short:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._none_short.wait()
            except TimeoutError:
                if wanted():
                    return

    async def start_transfer(self, command: str, *, stdin: bytes = b"", further: bool = False) -> ByteProcess:
        """Start a command that carries bulk; see `Carrier.start_transfer`."""
        starting = self._carrier.start_transfer(self._said(command), stdin=stdin, further=further)
        return await (starting if further else self._with_room(starting, lambda: True))

    async def close(self) -> None:
        """Close every process and connection."""
        await self._carrier.close()

    def _said(self, command: str) -> str:
        return self.way if command == START_COMMAND else command

    async def _with_room(self, start: Coroutine[Any, Any, ByteProcess], wanted: Callable[[], bool]) -> ByteProcess:
        """What a start comes to; while it waits, room is made for it."""
        if self._limited is None:
            return await start
        starting = asyncio.ensure_future(start)
        loop = asyncio.get_running_loop()
        crowded_since = None
        try:
            while not (await asyncio.wait([starting], timeout=_LOOK_SECONDS))[0]:
                if not self._limited.crowded:
                    crowded_since = None
                    continue
                crowded_since = crowded_since or loop.time()
                if not wanted():
                    raise NoRoomError("the server allows no further process for now")
                self._make_room(last=loop.time() - crowded_since > _LAST_SECONDS)
        except BaseException:
            if not starting.cancel() and not starting.cancelled() and starting.exception() is None:
                starting.result().close()
            raise
        return starting.result()

    def _make_room(self, *, last: bool) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._given_up_at < _PAUSE_SECONDS:
            return
        if any(spare(False) for spare in self.spares) or (last and any(spare(True) for spare in self.spares)):
            self._given_up_at = now
