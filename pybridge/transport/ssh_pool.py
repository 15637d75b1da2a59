"""The carrier over SSH: a pool of connections to one target (D6), commands and files on separate ones."""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections.abc import Callable
from typing import Literal

from pybridge.errors import (
    ChannelError,
    ConnectionLostError,
    RemoteError,
)
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.channels_ahead import ChannelsAhead
from pybridge.transport.connect import Connector
from pybridge.transport.connection_group import ConnectionGroup
from pybridge.transport.credentials import Credentials
from pybridge.transport.head_start import HeadStart
from pybridge.transport.link import Link, Reservation
from pybridge.transport.patient_connector import PatientConnector
from pybridge.transport.process import ByteProcess
from pybridge.transport.side_by_side import SideBySide
from pybridge.transport.ssh_start import (
    ChannelRefusedError,
    CommandRefusedError,
    ConnectionGoneError,
    start_ssh_process,
)
from pybridge.transport.ssh_target import SshTarget

_MAX_REFUSALS = 6
_MAX_SETBACKS = 3
"""New connections that were of no use, before one start gives up."""

Role = Literal["command", "file"]


class PoolState(enum.Enum):
    """What the pool can do for its next caller. The values are the words of the sidecar's `status` notification."""

    CONNECTING = "connecting"
    READY = "ready"
    RECONNECTING = "reconnecting"
    LOST = "lost"
    FAILED = "failed"


class SshPool:
    """Starts processes on one SSH target (implements `Carrier`).

    Connections are opened when first needed. A refusal of the credentials is remembered: no further attempt is made
    until there is a new pool, so that a wrong password is sent exactly once.

    Args:
        target: where to.
        credentials: secrets; they stay in memory.
        command_size: the most connections for commands.
        file_size: the most connections for file transfers.
        stagger_ms: pause between two new connections, in milliseconds.
        head_start: towards the target, for the first connection.
        on_state: told of each change of `state`, with the error for LOST and FAILED.
    """

    def __init__(
        self,
        target: SshTarget,
        credentials: Credentials | None = None,
        *,
        command_size: int = 3,
        file_size: int = 2,
        stagger_ms: int = 0,
        head_start: HeadStart | None = None,
        on_state: Callable[[PoolState, RemoteError | None], None] | None = None,
    ) -> None:
        self.target = target
        self.on_state = on_state
        self._connector = Connector(target, credentials or Credentials(), head_start)
        self._stagger_seconds = stagger_ms / 1000
        self._one_at_a_time = asyncio.Lock()
        self._side_by_side = SideBySide(self._connector, self._stagger_seconds)
        self._patient = PatientConnector(self._connector)
        self._state = PoolState.CONNECTING
        sizes: dict[Role, int] = {"command": command_size, "file": file_size}
        self._groups: dict[Role, ConnectionGroup] = {
            role: ConnectionGroup(
                size,
                self._open_connection,
                self._lost,
                self._back,
                target.keepalive_seconds,
                may_overlap=self._may_overlap,
            )
            for role, size in sizes.items()
        }
        files = ChannelsAhead(str(target), self._groups["file"])
        commands = ChannelsAhead(str(target), self._groups["command"], beyond=files)
        self._ahead: dict[Role, ChannelsAhead] = {"command": commands, "file": files}
        self._expected = 0

    @property
    def state(self) -> PoolState:
        """What the pool can do now."""
        return self._state

    @property
    def opening_is_delicate(self) -> bool:
        """Whether the server is one of those whose channels must not be opened while another one's command ends."""
        versions = [str(link.connection.get_extra_info("server_version")) for link in self._links()]
        return any("dropbear" in version.lower() for version in versions)

    @property
    def crowded(self) -> bool:
        """A start waits for a channel that only the end of another one can give."""
        return any(group.crowded for group in self._groups.values())

    @property
    def places(self) -> int | None:
        """How many commands there can be at once, as far as is known; None where no limit is known."""
        commands = self._groups["command"].places
        return None if commands is None else commands + self._groups["file"].spare_places

    def expect(self, count: int) -> None:
        """That many starts will follow right after the next one; see `Expecting`."""
        self._expected = count

    async def connect(self) -> None:
        """Make the first connection, if there is none.

        Raises:
            ConnectError: and below, as for `start`.
        """
        group = self._groups["command"]
        (await group.acquire()).release()

    async def start(
        self, command: str, *, stdin: bytes = b"", reconnect: bool = True, role: Role = "command"
    ) -> ByteProcess:
        """Start a command; see `Carrier.start`.

        Args:
            role: `file` uses the connections for file transfers, where bulk does not delay commands.
        """
        with self._ahead["command"].starting() if role == "command" else contextlib.nullcontext():
            return await self._start(command, stdin, reconnect, role)

    async def _start(self, command: str, stdin: bytes, reconnect: bool, role: Role) -> ByteProcess:
        setbacks = 0
        while True:
            ahead = await self._ahead[role].take()
            group = self._groups[role]
            if ahead is None and role == "command" and group.full:
                group, ahead = self._groups["file"], await self._ahead["file"].take()
            if ahead is not None:
                place = ahead.place
            else:
                group, place = await self._acquire(role, reconnect=reconnect)
            try:
                if ahead is None:
                    process = await self._start_at(place, command, stdin)
                else:
                    await (process := ahead).execute(command, stdin)
                place.granted()
                return process
            except ChannelRefusedError:
                setbacks += not group.refused(place)
                if setbacks >= _MAX_SETBACKS:
                    raise
            except CommandRefusedError:
                # Seen with dropbear 2022.83 when a command of another channel ends meanwhile.
                setbacks += 1
                if setbacks >= _MAX_REFUSALS:
                    raise
            except ConnectionGoneError:
                group.gone(place.link)
                setbacks += 1
                if setbacks >= _MAX_SETBACKS:
                    raise

    async def start_transfer(self, command: str, *, stdin: bytes = b"", further: bool = False) -> ByteProcess:
        """Start a command on a connection for files; see `Carrier.start_transfer`."""
        if not further:
            return await self.start(command, stdin=stdin, role="file")
        group = self._groups["file"]
        ahead = await self._ahead["file"].take()
        place = group.acquire_spare() if ahead is None else ahead.place
        if place is None:
            raise ChannelError(f"{self.target} has no channel to spare.")
        try:
            if ahead is None:
                process = await self._start_at(place, command, stdin)
            else:
                await (process := ahead).execute(command, stdin)
        except ChannelRefusedError:
            group.refused(place)
            raise
        place.granted()
        return process

    async def close(self) -> None:
        """Close every process and connection."""
        for ahead in self._ahead.values():
            ahead.close()
        await asyncio.gather(*(group.close() for group in self._groups.values()))
        await self._connector.close()

    async def _start_at(self, place: Reservation, command: str, stdin: bytes) -> ByteProcess:
        link = place.link
        return await start_ssh_process(
            link.connection,
            str(self.target),
            command,
            stdin,
            place.release,
            place.abandon,
            link.pulse,
            on_requested=self._ask_ahead if self._expected else None,
        )

    def _ask_ahead(self) -> None:
        # After the one that is being started: should the server allow only one, it is that.
        expected, self._expected = self._expected, 0
        self._ahead["command"].ask_for(expected)

    def _links(self) -> list[Link]:
        return [link for group in self._groups.values() for link in group.links]

    async def _acquire(self, role: Role, *, reconnect: bool = True) -> tuple[ConnectionGroup, Reservation]:
        group, commands = self._groups[role], self._groups["command"]
        if role == "command" and len(commands.links) > 1 and (found := self._overflow()) is not None:
            return found
        try:
            if group.resting and commands.links:
                return commands, await commands.acquire(reconnect=reconnect)
            place = await group.acquire(reconnect=reconnect)
            if role == "command" and len(commands.links) > 1:
                self._groups["file"].begin()  # It is there when the next crowd comes.
            return group, place
        except RemoteError:
            # A server that allows one connection only still gets its files, over the connection for commands.
            if role == "command" or not commands.links:
                raise
            return commands, await commands.acquire(reconnect=reconnect)

    def _overflow(self) -> tuple[ConnectionGroup, Reservation] | None:
        """Room on the connections for files, once those for commands are full: slower at worst, but not later."""
        files = self._groups["file"]
        files.begin()
        place = files.acquire_spare() if self._groups["command"].full else None
        return None if place is None else (files, place)

    def _may_overlap(self) -> bool:
        """Whether a further connection may be made while others are."""
        return self._side_by_side.allowed and not self._one_at_a_time.locked() and bool(self._links())

    async def _open_connection(self) -> asyncssh.SSHClientConnection:
        """Side by side where that is allowed; else one at a time, with the stagger between them, and tried again if
        dropped before authentication (MaxStartups)."""
        if self._may_overlap() and (connection := await self._side_by_side.open()) is not None:
            self._set_state(PoolState.READY)
            return connection
        async with self._one_at_a_time:
            await self._side_by_side.over()
            first = not self._links()
            if first:
                self._set_state(PoolState.RECONNECTING if self._patient.connected_before else PoolState.CONNECTING)
            elif self._stagger_seconds:
                await asyncio.sleep(self._stagger_seconds)
            try:
                connection = await (self._patient.open_first() if first else self._patient.open())
            except RemoteError as error:
                if first and not self._links():
                    self._set_state(PoolState.FAILED, error)
                raise
            self._patient.connected_before = True
            self._set_state(PoolState.READY)
            return connection

    def _lost(self) -> None:
        if self._links():
            return
        silent = any(group.silent for group in self._groups.values())
        how = "does not answer any more" if silent else "was lost"
        self._set_state(PoolState.LOST, ConnectionLostError(f"The connection to {self.target} {how}."))

    def _back(self) -> None:
        if self._state is not PoolState.READY:
            self._set_state(PoolState.READY)

    def _set_state(self, state: PoolState, error: RemoteError | None = None) -> None:
        if state is not self._state or error is not None:
            self._state = state
            if self.on_state is not None:
                self.on_state(state, error)
