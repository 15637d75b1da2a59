"""A TCP proxy with a fixed delay each way and the full bandwidth: a far host, on this machine."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_READ_SIZE = 256 * 1024
_UNDER_WAY_LIMIT = 64 * 1024 * 1024


@dataclass
class Direction:
    """What went one way."""

    bytes: int = 0
    chunks: int = 0


class DelayProxy:
    """Forwards connections to a server. Use as an asynchronous context manager; `port` is where it listens.

    Each chunk is sent on when it is due, so several are under way at once: the delay costs no bandwidth.

    Args:
        port: of the server, on 127.0.0.1.
        delay: one way, in seconds; a round trip takes twice that.

    Attributes:
        round_trips: how long the longest chain of "sent, answered, sent because of it, answered" is so far, as the
            client sees it. What an operation took is the difference between its end and its start. What is sent at once
            counts once, whatever its size and the number of its connections. The answer to one thing must not come
            while another, which does not wait for it, is yet to be sent: so count with a delay well above the
            client's own work, and while nothing else is under way.
    """

    def __init__(self, port: int, delay: float, *, host: str = "127.0.0.1") -> None:
        self._target = (host, port)
        self._delay = delay
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.port = 0
        self.to_server = Direction()
        self.to_client = Direction()
        self.connections = 0
        self.round_trips = 0

    async def __aenter__(self) -> DelayProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_READ_SIZE)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Break every connection at once, as a dying link would."""
        for writer in tuple(self._writers):
            with contextlib.suppress(Exception):
                writer.transport.abort()

    def stall(self) -> None:
        """Hold back everything, both ways, as a link that hangs; connections stay up."""
        self._flows.clear()

    def resume(self) -> None:
        """Let through what was held back, and all that follows."""
        self._flows.set()

    def forsake(self) -> asyncio.Event:
        """Hold back everything of the connections there are, as for one whose address has changed; serve new ones.

        Returns:
            Set it to let through what was held back.
        """
        held, self._flows = self._flows, asyncio.Event()
        held.clear()
        self._flows.set()
        return held

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target, limit=_READ_SIZE)
        except OSError:
            writer.transport.abort()
            self._tasks.discard(task)
            return
        ends = {writer, far_writer}
        flows = self._flows
        self._writers |= ends
        asked = 0  # The longest chain that what has reached the server on this connection ends.

        def reach_server(depth: int) -> None:
            nonlocal asked
            asked = max(asked, depth)

        def reach_client(depth: int) -> None:
            self.round_trips = max(self.round_trips, depth)

        try:
            await asyncio.gather(
                self._forward(reader, far_writer, self.to_server, flows, lambda: self.round_trips + 1, reach_server),
                self._forward(far_reader, writer, self.to_client, flows, lambda: asked, reach_client),
            )
        except asyncio.CancelledError:
            pass  # The streams protocol of Python 3.11 would print it as an error.
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()
            self._tasks.discard(task)

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        count: Direction,
        flows: asyncio.Event,
        depth_when_sent: Callable[[], int],
        arrived: Callable[[int], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        queue: deque[tuple[float, bytes, int]] = deque()
        changed = asyncio.Event()
        room = asyncio.Event()
        under_way = 0

        async def send_when_due() -> None:
            nonlocal under_way
            while True:
                while not queue:
                    changed.clear()
                    await changed.wait()
                due, data, depth = queue[0]
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
                await flows.wait()
                queue.popleft()
                under_way -= len(data)
                room.set()
                if not data:
                    with contextlib.suppress(OSError):
                        writer.write_eof()
                    return
                arrived(depth)
                writer.write(data)
                await writer.drain()

        sender = asyncio.create_task(send_when_due())
        try:
            while True:
                while under_way > _UNDER_WAY_LIMIT:
                    room.clear()
                    await room.wait()
                data = await reader.read(_READ_SIZE)
                queue.append((loop.time() + self._delay, data, depth_when_sent()))
                under_way += len(data)
                count.bytes += len(data)
                count.chunks += bool(data)
                changed.set()
                if not data:
                    break
            await sender
        except OSError:
            pass
        finally:
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await sender
            if reader.exception() is not None:
                writer.transport.abort()
