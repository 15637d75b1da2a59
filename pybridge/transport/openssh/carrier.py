"""The carrier over the system's own ssh: one connection, logged in once, and as many channels on it as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shlex
from collections import deque
from collections.abc import Callable

from pybridge.errors import (
    AuthenticationError,
    ChannelError,
    ConnectionDroppedError,
    ConnectionLostError,
    ProtocolError,
    RemoteError,
)
from pybridge.transport.backoff import Backoff
from pybridge.transport.credentials import Credentials
from pybridge.transport.openssh.borrowed_connection import BorrowedConnection
from pybridge.transport.openssh.configuration import Openssh
from pybridge.transport.openssh.control_socket import is_alive
from pybridge.transport.openssh.master import Master
from pybridge.transport.openssh.shared_connection import ChannelRefusedError, CommandRefusedError, SharedConnection
from pybridge.transport.process import ByteProcess
from pybridge.transport.ssh_pool import PoolState
from pybridge.transport.ssh_start import ConnectionGoneError

log = logging.getLogger(__name__)

_USUAL_CHANNELS = 10
_CHANNELS_WHERE_DELICATE = 100
"""dropbear counts no sessions, and a channel that has to wait would be opened when another one ends."""
_LIMIT_SECONDS = 10.0
"""How long a refusal counts: on a connection of the user's, other programs' sessions come free without a word."""
_PATIENCE_SECONDS = 30.0
"""How long a server may refuse although no channel of ours is open: others may hold them all (a shared connection)."""
_AGAIN_SECONDS = 0.5
_DROPPED_TRIES = 3
_MAX_REFUSALS = 6
_MAX_SETBACKS = 3
"""New connections that were of no use, before one start gives up."""
_LOOK_SECONDS = 10.0

Connection = SharedConnection | BorrowedConnection


class OpensshCarrier:
    """Starts processes over ssh (implements `Carrier`).

    The connection is, in this order: one that `pybridge launch` has opened in the terminal; one the user shares already
    (ControlPath), which is never ended; one of our own. A login that was refused is not tried again: accounts lock.

    Args:
        ssh: what to run, and where it leads.
        credentials: secrets that answer what ssh asks; they stay in memory.
        handed_over: the control socket of a connection that is there for us.
        terminal: whether the user sits at the terminal and may be asked there.
        on_state: told of each change of `state`, with the error for LOST and FAILED.
    """

    def __init__(
        self,
        ssh: Openssh,
        credentials: Credentials | None = None,
        *,
        handed_over: str | None = None,
        terminal: bool = False,
        on_state: Callable[[PoolState, RemoteError | None], None] | None = None,
    ) -> None:
        self.target = ssh.target
        self.on_state = on_state
        self._ssh = ssh
        self._credentials = credentials or Credentials()
        self._handed_over = handed_over
        self._terminal = terminal
        self._master: Master | None = None
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._backoff = Backoff()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._limit: int | None = None
        self._limit_ends = 0.0
        self._most_granted = 0
        self._held_up = 0
        self._denied: AuthenticationError | None = None
        self._delicate = False
        self._state = PoolState.CONNECTING
        self._connected_before = False
        self._borrowed_before = False
        self._closed = False

    @property
    def state(self) -> PoolState:
        """What the carrier can do now."""
        return self._state

    @property
    def opening_is_delicate(self) -> bool:
        """Whether the server is one of those whose channels must not be opened while another one's command ends."""
        return self._delicate

    @property
    def crowded(self) -> bool:
        """A start waits for a channel that only the end of another one can give."""
        return self._held_up > 0

    @property
    def places(self) -> int | None:
        """How many processes there can be at once, as far as is known; None where no limit is known."""
        return self._limit or (None if self._delicate else _USUAL_CHANNELS)

    @property
    def whose(self) -> str:
        """Whose connection is used, in words."""
        if isinstance(self._connection, BorrowedConnection):
            return f"your own shared connection, {self._ssh.control_path}"
        return "a connection of its own"

    async def connect(self) -> None:
        """Have a connection.

        Raises:
            ConnectError: and below, as for `start`.
        """
        await self._connected()

    async def start(self, command: str, *, stdin: bytes = b"", reconnect: bool = True) -> ByteProcess:
        """Start a command; see `Carrier.start`. Waits while the server allows no further channel."""
        held_up = asyncio.Event()
        try:
            return await self._start(command, stdin, reconnect, held_up)
        finally:
            self._held_up -= held_up.is_set()

    def _hold_up(self, held_up: asyncio.Event) -> None:
        if not held_up.is_set():
            held_up.set()
            self._held_up += 1

    async def _start(self, command: str, stdin: bytes, reconnect: bool, held_up: asyncio.Event) -> ByteProcess:
        loop = asyncio.get_running_loop()
        refused_alone_since: float | None = None
        refusals = setbacks = 0
        while True:
            connection = await self._connected(reconnect=reconnect)
            if connection.channels >= self._allowed():
                self._hold_up(held_up)
                await self._room()
                continue
            try:
                process = await connection.start(command, stdin)
            except ChannelRefusedError as error:
                self._hold_up(held_up)
                if self._note_refusal(connection.granted):
                    refused_alone_since = None
                    continue
                refused_alone_since = refused_alone_since or loop.time()
                if loop.time() - refused_alone_since > _PATIENCE_SECONDS:
                    raise ChannelError(
                        f"{error.message} No channel of ours is open there.",
                        next_step="End sessions of other programs on the same connection, or raise MaxSessions.",
                    ) from error
                await asyncio.sleep(_AGAIN_SECONDS)
            except CommandRefusedError:
                # Seen with dropbear 2022.83 when a command of another channel ends meanwhile.
                refusals += 1
                if refusals >= _MAX_REFUSALS:
                    raise
            except ConnectionGoneError:
                setbacks += 1
                if setbacks >= _MAX_SETBACKS:
                    raise
            else:
                self._most_granted = max(self._most_granted, connection.granted)
                return process

    async def start_transfer(self, command: str, *, stdin: bytes = b"", further: bool = False) -> ByteProcess:
        """Start a command; see `Carrier.start_transfer`. There is one connection for everything."""
        if further:
            raise ChannelError("Over the system's ssh, a file travels in one piece.")
        return await self.start(command, stdin=stdin)

    async def close(self) -> None:
        """Close every process, and the connection if it is ours."""
        self._closed = True
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
        await self._end_master()

    # Room for channels.

    def _allowed(self) -> int:
        """How many channels may be tried at once. A limit that has lasted a while is tried for one more."""
        if self._limit is None:
            return _CHANNELS_WHERE_DELICATE if self._delicate else _USUAL_CHANNELS
        if asyncio.get_running_loop().time() < self._limit_ends:
            return self._limit
        return max(self._limit + 1, self._most_granted)

    def _note_refusal(self, granted: int) -> bool:
        """The server has refused a channel while it granted so many; whether any of these may come free."""
        self._limit = max(granted, 1)
        # Fewer than it granted before: it still counts some whose programs outlive them, for a moment.
        lasts = _LIMIT_SECONDS if granted >= self._most_granted else _AGAIN_SECONDS
        self._limit_ends = asyncio.get_running_loop().time() + lasts
        return granted > 0

    async def _room(self) -> None:
        """Wait for a channel to close, in turn; look again after a while, since a limit is not for ever."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            left = self._limit_ends - asyncio.get_running_loop().time()
            await asyncio.wait({waiter}, timeout=left if left > 0 else _LIMIT_SECONDS)
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(waiter)

    def _changed(self) -> None:
        lost = self._connection is not None and not self._connection.alive
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                if not lost:
                    break
        if lost:
            self._lost()

    # The connection.

    async def _connected(self, *, reconnect: bool = True) -> Connection:
        connection = self._connection
        if connection is not None and connection.alive:
            return connection
        if not reconnect and not self._connecting.locked():
            raise ConnectionLostError("There is no connection.", next_step="The next call connects again.")
        async with self._connecting:
            if self._connection is not None and self._connection.alive:
                return self._connection
            if self._denied is not None:
                raise self._denied
            if self._closed:
                raise ConnectionLostError("The connection is being closed.")
            self._set_state(PoolState.RECONNECTING if self._connected_before else PoolState.CONNECTING)
            await self._backoff.wait()
            try:
                connection = await self._open()
            except RemoteError as error:
                self._backoff.failed()
                if isinstance(error, AuthenticationError):
                    self._denied = error
                self._set_state(PoolState.FAILED, error)
                raise
            self._backoff.succeeded()
            connection.tell(self._changed)
            self._connection = connection
            self._limit, self._most_granted = None, 0
            self._connected_before = True
            self._set_state(PoolState.READY)
            return connection

    async def _open(self) -> Connection:
        if self._handed_over is not None and await is_alive(self._handed_over):
            connection = await self._use(SharedConnection, self._handed_over)
        elif (own := self._ssh.control_path) is not None and await is_alive(own):
            connection = await self._use(BorrowedConnection, own)
            self._borrowed_before = True
        else:
            return await self._log_in()
        self._delicate = await _is_dropbear(connection)
        return connection

    async def _log_in(self) -> Connection:
        await self._end_master()
        try:
            self._master = await self._open_master()
        except RemoteError as error:
            if self._borrowed_before or self._handed_over is not None:
                raise type(error)(error.message, next_step=self._renew(error.next_step)) from error
            raise
        self._delicate = "dropbear" in (self._master.server or "").lower()
        connection = await self._use(SharedConnection, self._master.path)
        if self._master.server is None:
            self._delicate = await _is_dropbear(connection)
        return connection

    async def _open_master(self) -> Master:
        for attempt in range(1, _DROPPED_TRIES):
            try:
                return await Master.open(self._ssh, self._credentials, terminal=self._terminal)
            except ConnectionDroppedError as error:
                if error.authenticating:
                    raise
                await asyncio.sleep(_AGAIN_SECONDS * attempt)  # MaxStartups
        return await Master.open(self._ssh, self._credentials, terminal=self._terminal)

    def _renew(self, next_step: str | None) -> str:
        if self._borrowed_before:
            words = shlex.join(self._ssh.command.words("-f", "-N", "-M", "-S", str(self._ssh.control_path)))
            first = f"Your shared connection at {self._ssh.control_path} is gone. Open it again: {words}"
        else:
            first = "The connection that `pybridge launch` had opened is gone. End OpenCode and run it again."
        return f"{first}\n{next_step}" if next_step else first

    async def _use(self, kind: type[SharedConnection] | type[BorrowedConnection], path: str) -> Connection:
        return await kind.open(
            path,
            str(self.target),
            variables=self._ssh.variables(os.environ),
            forward_agent=self._ssh.values.get("forwardagent", "no") not in ("no", "none"),
        )

    async def _end_master(self) -> None:
        master, self._master = self._master, None
        if master is not None:
            await master.close()

    def _lost(self) -> None:
        if self._state is PoolState.READY and not self._closed:
            self._set_state(PoolState.LOST, ConnectionLostError(f"The connection to {self.target} was lost."))

    def _set_state(self, state: PoolState, error: RemoteError | None = None) -> None:
        if state is not self._state or error is not None:
            self._state = state
            if self.on_state is not None:
                self.on_state(state, error)


async def _is_dropbear(connection: Connection) -> bool:
    """Look at the server's process from the inside: what it called itself is known to the other ssh process only."""
    said = bytearray()
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            process = await connection.start("exec /bin/sh -c 'cat /proc/$PPID/comm'", b"")
            try:
                process.write_eof()
                while (piece := await process.read()) is not None:
                    said += piece[1]
            finally:
                process.close()
    except (TimeoutError, ChannelError, ProtocolError) as error:
        log.info("what the server is could not be seen: %s", error)
    return b"dropbear" in said
