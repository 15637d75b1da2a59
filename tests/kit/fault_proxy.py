"""A link to an SSH server that fails at a place told beforehand: at a byte, at a packet's end, or on demand.

Everything runs in the caller's event loop. Packets are told apart as `ssh_packets` does, so the client must insist on
its cipher.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import re
import socket
import struct
from dataclasses import dataclass, field
from typing import Self

from tests.kit.ssh_packets import PacketMeter

STALL_SECONDS = 0.3
"""How long a stalled link holds everything back: shorter than any keepalive."""

_READ_SIZE = 256 * 1024
_LATE_SECONDS = 10.0


class Fault(enum.Enum):
    """What happens to every connection there is, all at once."""

    CUT = "cut"  # both ends see it closed in good order; a new connection can be made at once
    RESET = "reset"  # both ends see it reset; a new connection can be made at once
    DOWN = "down"  # reset, and no new connection until it is healed
    STALL = "stall"  # nothing comes through for a moment, then everything does
    BLACK_HOLE = "black hole"  # everything is swallowed for ever and nobody is told; a new connection can be made
    DARK = "dark"  # the same, also for new connections until it is healed
    LATE = "late"  # a black hole that lets go of what was sent to the server, long after the client gave up


class Way(enum.Enum):
    """A direction."""

    TO_SERVER = "out"
    TO_CLIENT = "in"


@dataclass(frozen=True)
class Place:
    """Where a link fails, counted from the moment it is armed.

    Args:
        way: the direction counted.
        packet: behind so many packets; None to count bytes only.
        shift: so many bytes further (before, if negative).
    """

    way: Way
    packet: int | None
    shift: int

    def __str__(self) -> str:
        return (
            f"{self.way.value}:{self.shift}"
            if self.packet is None
            else f"{self.way.value}:p{self.packet}{self.shift:+d}"
        )

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place that `str` shows so."""
        found = re.fullmatch(r"(out|in):(?:p(\d+))?([+-]?\d+)", text)
        if found is None:
            raise ValueError(f"no place on a link: {text}")
        return cls(Way(found[1]), None if found[2] is None else int(found[2]), int(found[3]))


class _State(enum.Enum):
    OPEN = enum.auto()
    HELD = enum.auto()
    SWALLOWED = enum.auto()
    LATE = enum.auto()


class _Connection:
    """One connection through the proxy: the client's end and the server's."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.ends = {Way.TO_CLIENT: client, Way.TO_SERVER: server}
        self.meters = {way: PacketMeter() for way in Way}
        self.state = _State.OPEN
        self.let_go = asyncio.Event()
        self.late = bytearray()
        self.server_has_ended = asyncio.Event()

    def finish(self) -> None:
        for writer in self.ends.values():
            with contextlib.suppress(OSError, RuntimeError):
                writer.write_eof()

    def reset(self) -> None:
        for writer in self.ends.values():
            _reset(writer)


@dataclass
class Count:
    """What went one way since the proxy was armed."""

    bytes: int = 0
    packets: int = 0


@dataclass
class _Armed:
    fault: Fault
    place: Place
    target: tuple[_Connection, int] | None = field(default=None)


class FaultProxy:
    """Forwards connections to a server, until it fails. Use as an asynchronous context manager.

    Args:
        port: of the server, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._armed: _Armed | None = None
        self._fault: Fault | None = None
        self._dark: set[asyncio.StreamWriter] = set()
        self.counts = {way: Count() for way in Way}
        self.struck = asyncio.Event()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_READ_SIZE)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.forget()
        for connection in tuple(self._connections):
            connection.reset()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def arm(self, fault: Fault | None = None, place: Place | None = None) -> None:
        """Count from now on, and fail at that place if one is given."""
        self.counts = {way: Count() for way in Way}
        self.struck = asyncio.Event()
        self._armed = _Armed(fault, place) if fault is not None and place is not None else None

    def disarm(self) -> None:
        """Do not fail any more."""
        self._armed = None

    def strike(self, fault: Fault) -> None:
        """Fail now."""
        self._armed = None
        self._fault = fault
        self.struck.set()
        for connection in tuple(self._connections):
            if connection.state is _State.OPEN:
                self._harm(connection, fault)

    def heal(self) -> None:
        """New connections can be made; those that failed stay as they are."""
        self._armed = None
        self._fault = None
        for writer in self._dark:
            _reset(writer)
        self._dark.clear()

    async def release(self) -> None:
        """Give the server what a `LATE` link has kept back, and wait until it is done with it."""
        late = [connection for connection in self._connections if connection.state is _State.LATE]
        for connection in late:
            writer = connection.ends[Way.TO_SERVER]
            with contextlib.suppress(OSError, RuntimeError):
                writer.write(bytes(connection.late))
                await writer.drain()
                writer.write_eof()
            connection.state = _State.SWALLOWED
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LATE_SECONDS):
                for connection in late:
                    await connection.server_has_ended.wait()

    def forget(self) -> None:
        """End what is left of the connections that failed: only now the server learns of a black hole."""
        self.heal()
        for connection in tuple(self._connections):
            if connection.state in (_State.SWALLOWED, _State.LATE):
                connection.state = _State.SWALLOWED
                connection.reset()

    async def quiet(self, seconds: float = 0.03) -> None:
        """Wait until nothing has gone either way for that long."""
        before = None
        while before != (now := [connection.meters[way].position for connection in self._connections for way in Way]):
            before = now
            await asyncio.sleep(seconds)

    def _harm(self, connection: _Connection, fault: Fault) -> None:
        match fault:
            case Fault.CUT:
                connection.state = _State.SWALLOWED
                connection.finish()
            case Fault.RESET | Fault.DOWN:
                connection.state = _State.SWALLOWED
                connection.reset()
            case Fault.STALL:
                connection.state = _State.HELD

                def go_on() -> None:
                    connection.state = _State.OPEN
                    connection.let_go.set()

                connection.let_go = asyncio.Event()
                asyncio.get_running_loop().call_later(STALL_SECONDS, go_on)
            case Fault.BLACK_HOLE | Fault.DARK:
                connection.state = _State.SWALLOWED
            case Fault.LATE:
                connection.state = _State.LATE

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self._fault is Fault.DOWN:
                _reset(writer)
            elif self._fault is Fault.DARK:
                self._dark.add(writer)
                while await reader.read(_READ_SIZE):
                    pass
            else:
                await self._connect(reader, writer)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target, limit=_READ_SIZE)
        connection = _Connection(writer, far_writer)
        self._connections.add(connection)
        try:
            await asyncio.gather(
                self._pump(connection, Way.TO_SERVER, reader), self._pump(connection, Way.TO_CLIENT, far_reader)
            )
        finally:
            self._connections.discard(connection)
            for end in connection.ends.values():
                end.transport.abort()

    async def _pump(self, connection: _Connection, way: Way, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(_READ_SIZE):
                await self._take(connection, way, data)
            while connection.state is _State.HELD:
                await connection.let_go.wait()
            if connection.state is _State.OPEN:
                connection.ends[way].write_eof()
        except OSError:
            if connection.state is _State.OPEN:
                connection.reset()
        finally:
            if way is Way.TO_CLIENT:
                connection.server_has_ended.set()

    async def _take(self, connection: _Connection, way: Way, data: bytes) -> None:
        position = connection.meters[way].position
        ends = connection.meters[way].feed(data)
        self._aim(connection, way, position, ends)
        while data:
            match connection.state:
                case _State.SWALLOWED:
                    return
                case _State.HELD:
                    await connection.let_go.wait()
                    continue
                case _State.LATE:
                    if way is Way.TO_SERVER:
                        connection.late += data
                    return
            fails = self._fails_in(connection, way, position, len(data))
            piece = data if fails is None else data[:fails]
            if piece:
                connection.ends[way].write(piece)
                await connection.ends[way].drain()
                self.counts[way].bytes += len(piece)
                position += len(piece)
            if fails is None:
                return
            data = data[fails:]
            if self._armed is not None:
                self.strike(self._armed.fault)

    def _aim(self, connection: _Connection, way: Way, position: int, ends: list[int]) -> None:
        """Find the byte of the stream that an armed place means, once its packet has begun."""
        count, armed = self.counts[way], self._armed
        if armed is not None and armed.place.way is way and armed.place.packet == 0 and armed.target is None:
            armed.target = (connection, position + armed.place.shift)
        for end in ends:
            count.packets += 1
            if armed is not None and armed.place.way is way and armed.place.packet == count.packets:
                armed.target = (connection, end + armed.place.shift)

    def _fails_in(self, connection: _Connection, way: Way, position: int, length: int) -> int | None:
        """How many of the next bytes still come through, or None if all do and nothing happens."""
        armed = self._armed
        if armed is None or armed.place.way is not way:
            return None
        if armed.place.packet is None:
            left = armed.place.shift - self.counts[way].bytes
        elif armed.target is not None and armed.target[0] is connection:
            left = armed.target[1] - position
        else:
            return None
        return max(0, left) if left <= length else None


def _reset(writer: asyncio.StreamWriter) -> None:
    end = writer.get_extra_info("socket")
    if end is not None:
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
