"""A link that can be cut at a chosen piece of what it carries, with or without the other side being told."""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Way(enum.Enum):
    """Which way a piece travels."""

    TO_SERVER = "to the server"
    TO_CLIENT = "to the client"


class CuttingProxy:
    """Forwards connections to a port on 127.0.0.1. Use as an asynchronous context manager.

    Args:
        port: the server's.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._at: tuple[Way, int] | None = None
        self._how: Callable[[], None] = self.cut
        self._flows = asyncio.Event()
        self._flows.set()
        self.port = 0
        self.connections = 0
        self.cuts = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_at(self, way: Way, pieces: int, *, silently: bool) -> None:
        """Cut when so many further pieces have come one way: the last of them is not forwarded.

        Args:
            way: which pieces count.
            pieces: how many, from 1.
            silently: nobody is told: the server keeps its ends of the connections, and the client's just hang.
        """
        self._at, self._how = (way, pieces), self.forsake if silently else self.cut

    def cut(self) -> None:
        """End every connection, for both sides."""
        self._at = None
        for writer in tuple(self._writers):
            with contextlib.suppress(Exception):
                writer.transport.abort()

    def forsake(self) -> None:
        """Nothing of the connections there are comes through any more; new ones are served."""
        self._at = None
        self._flows.clear()
        self._flows = asyncio.Event()
        self._flows.set()

    def end_clients(self) -> None:
        """Forget any cut that has not come about."""
        self._at = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        flows = self._flows
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._forward(reader, far_writer, Way.TO_SERVER, flows))
                both.create_task(self._forward(far_reader, writer, Way.TO_CLIENT, flows))
        except* OSError:
            pass
        except* asyncio.CancelledError:
            pass
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()
            self._tasks.discard(task)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way, flows: asyncio.Event
    ) -> None:
        while data := await reader.read(65536):
            if self._at is not None and self._at[0] is way and flows.is_set():
                self._at = (way, self._at[1] - 1)
                if self._at[1] <= 0:
                    self.cuts += 1
                    self._how()
            await flows.wait()
            writer.write(data)
            await writer.drain()
        await flows.wait()
        raise ConnectionResetError  # ends the other way too
