"""Session channels that are opened before it is known what is to run in them: a round trip less for each.

They are asked for when it is known that starts will follow, and after a crowd of starts, since another one may come.
Nothing runs for them on the server, and every start takes one of them first, so they keep nobody out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from pybridge.errors import ConnectionLostError
from pybridge.transport.asyncssh_quietly import asyncssh, packet
from pybridge.transport.connection_group import LEFT_TO_OTHERS, ConnectionGroup
from pybridge.transport.link import Reservation
from pybridge.transport.process import unless_silent
from pybridge.transport.receive_window import FIRST_BYTES
from pybridge.transport.ssh_process import SshProcess
from pybridge.transport.ssh_start import MAX_PACKET, OPEN_SECONDS, finish_start

_TO_BE_TOLD = "exec /bin/sh"
"""Never sent: asyncssh wants to be told a command before it opens a channel."""

_CROWD = 8
"""Starts under way at once that make a crowd."""

_PAUSES = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Seconds before each attempt to have channels for the next crowd: those of this one are in use at first."""


class ProcessAhead(SshProcess):
    """A process whose channel is asked for before its command is known.

    Args:
        name: the target in words, for errors.
        place: where the channel counts; released when it is closed.
        on_refused: called when the server does not open it.
    """

    def __init__(self, name: str, place: Reservation, on_refused: Callable[[], None]) -> None:
        super().__init__(name, b"", place.release, place.abandon, place.link.pulse)
        self.place = place
        self._on_refused = on_refused
        self._answered = asyncio.Event()
        self._told = asyncio.Event()
        self._given_up = False
        self._command = _TO_BE_TOLD
        self._creating = asyncio.create_task(self._create(place.link.connection))

    async def is_open(self) -> bool:
        """Whether there is a channel, once the server has said so; it says nothing if the link has fallen silent."""
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await unless_silent(self, self._answered.wait())
        except (TimeoutError, ConnectionLostError):
            return False
        return self.was_opened and not self.closed and self.place.link.alive and await self.link_answers()

    async def execute(self, command: str, stdin: bytes) -> None:
        """Start the command: one round trip.

        Raises:
            RemoteError: as `start_ssh_process`.
        """
        self._command, self._stdin = command, stdin
        self._told.set()
        await finish_start(self.place.link.connection, self, self._creating, self.place.release)

    def give_up(self) -> None:
        """Nobody wants it: let it be closed as soon as it is open."""
        self._given_up = not self._told.is_set()
        self._told.set()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        super().connection_made(chan)
        request: Any = chan._make_request  # what asyncssh itself calls to have a command executed

        async def request_when_told(kind: bytes, *_: bytes) -> Any:
            self._answered.set()
            await self._told.wait()
            if self._given_up:
                self.close()
                return False
            asyncio.get_running_loop().call_soon(self._send_first)
            return await request(kind, packet.String(self._command))

        chan.__dict__["_make_request"] = request_when_told

    async def _create(self, connection: asyncssh.SSHClientConnection) -> None:
        try:
            await connection.create_session(
                lambda: self, _TO_BE_TOLD, encoding=None, window=FIRST_BYTES, max_pktsize=MAX_PACKET, request_pty=False
            )
        except (asyncssh.Error, OSError):
            if not self.was_opened:
                self.place.release()
                self._on_refused()
            raise
        finally:
            self._answered.set()


class ChannelsAhead:
    """The channels that wait for their commands.

    Args:
        name: the target in words, for errors.
        group: whose connections they are on.
        beyond: where those of a crowd are that find no room there.
    """

    def __init__(self, name: str, group: ConnectionGroup, *, beyond: ChannelsAhead | None = None) -> None:
        self._name = name
        self._group = group
        self._beyond = beyond
        self._waiting: deque[ProcessAhead] = deque()
        self._starting = self._most_starting = 0
        self._refilling: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """A start is under way."""
        self._starting += 1
        self._most_starting = max(self._most_starting, self._starting)
        try:
            yield
        finally:
            self._starting -= 1
            if not self._starting:
                crowd, self._most_starting = self._most_starting, 0
                if crowd >= _CROWD:
                    if self._refilling is not None:
                        self._refilling.cancel()  # It counts from the end of the crowd before.
                    self._refilling = asyncio.create_task(self._refill(crowd))

    def ask_for(self, count: int, *, besides: int = 0) -> None:
        """Ask for some, now, where they can be had; only of OpenSSH, which is known for how many it allows.

        Args:
            besides: so many must be left on a connection; none by default, since the next start has what is asked for.
        """
        for _ in range(count):
            place = self._group.acquire_spare(besides=besides)
            if place is None:
                return
            if "openssh" not in str(place.link.connection.get_extra_info("server_version")).lower():
                place.release()
                return
            self._waiting.append(self._ahead(place))

    async def take(self) -> ProcessAhead | None:
        """One that is open, None if there is none; waits for the server's answer."""
        while self._waiting:
            process = self._waiting.popleft()
            try:
                if await process.is_open():
                    return process
            except asyncio.CancelledError:
                process.give_up()
                raise
            process.give_up()
        return None

    def close(self) -> None:
        """Let go of all."""
        if self._refilling is not None:
            self._refilling.cancel()
        while self._waiting:
            self._waiting.popleft().give_up()

    async def _refill(self, count: int) -> None:
        try:
            for pause in _PAUSES:
                await asyncio.sleep(pause)
                self.ask_for(count - len(self._waiting))
                if self._beyond is not None:
                    missing = count - len(self._waiting) - len(self._beyond._waiting)
                    self._beyond.ask_for(missing, besides=LEFT_TO_OTHERS)
        finally:
            if self._refilling is asyncio.current_task():
                self._refilling = None

    def _ahead(self, place: Reservation) -> ProcessAhead:
        def refused() -> None:
            self._group.refused(place)

        process = ProcessAhead(self._name, place, refused)
        process._creating.add_done_callback(_retrieve)
        return process


def _retrieve(creating: asyncio.Task[None]) -> None:
    """The error is told by whoever takes the process; if nobody does, nobody is to hear of it."""
    if not creating.cancelled():
        creating.exception()
