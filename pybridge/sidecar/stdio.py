"""Standard input and output as the protocol's own two streams, on every platform.

Where the system tells when a descriptor can be read or written without waiting, as it does for the pipes and sockets
of POSIX, the loop does that itself: handing a line to a thread and back takes as long as all else that is done with it.
Threads do the rest: Windows handles, files, and what does not fit into a pipe at once.
"""

from __future__ import annotations

import asyncio
import os
import queue
import select
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass

MAX_LINE_BYTES = 64 * 1024 * 1024
"""A longer line is refused: it would have to be held in memory whole."""

_CHUNK = 256 * 1024
_UNSENT_LIMIT = 8 * 1024 * 1024


@dataclass(frozen=True)
class TooLong:
    """A line over the limit was thrown away as it came; `size` is its length in bytes."""

    size: int


def claim() -> tuple[int, int]:
    """Take file descriptors 0 and 1 for the protocol alone.

    Afterwards `sys.stdout`, descriptor 1 and every child process write to standard error, and read nothing.

    Returns:
        descriptors to read from and to write to, not inherited by children.
    """
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if sys.platform == "win32":  # otherwise line ends are translated and Ctrl-Z ends the input
        import msvcrt

        for descriptor in (source, sink):
            msvcrt.setmode(descriptor, os.O_BINARY)
    return source, sink


class LineReader:
    """Lines of one descriptor, cut at b"\\n", at most `limit` bytes each."""

    def __init__(self, descriptor: int, *, limit: int = MAX_LINE_BYTES) -> None:
        self._descriptor = descriptor
        self._limit = limit

    async def lines(self) -> AsyncIterator[bytes | TooLong]:
        """Every line without its end, until the stream ends. A last line without an end counts."""
        held: list[bytes] = []
        size = 0
        async for chunk in self._chunks():
            *ended, rest = chunk.split(b"\n")
            for piece in ended:
                size += len(piece)
                held.append(piece)
                yield b"".join(held) if size <= self._limit else TooLong(size)
                held, size = [], 0
            if rest:
                size += len(rest)
                held.append(rest)
                if size > self._limit:
                    held = []
        if size:
            yield b"".join(held) if size <= self._limit else TooLong(size)

    async def _chunks(self) -> AsyncIterator[bytes]:
        """What comes, in pieces, until the stream ends."""
        loop = asyncio.get_running_loop()
        # Bounded: whoever reads waits for the loop, so a fast sender fills the pipe and not our memory.
        chunks: asyncio.Queue[bytes] = asyncio.Queue(maxsize=4)
        if not self._watch(loop, chunks):
            threading.Thread(target=self._read, args=(loop, chunks), name="stdin", daemon=True).start()
            while chunk := await chunks.get():
                yield chunk
            return
        try:
            while chunk := await chunks.get():
                yield chunk
                self._watch(loop, chunks)
        finally:
            loop.remove_reader(self._descriptor)

    def _watch(self, loop: asyncio.AbstractEventLoop, chunks: asyncio.Queue[bytes]) -> bool:
        """Have the loop read, as long as there is room; whether it can."""

        def readable() -> None:
            try:
                chunk = os.read(self._descriptor, _CHUNK)
            except OSError:
                chunk = b""
            chunks.put_nowait(chunk)
            if not chunk or chunks.full():
                loop.remove_reader(self._descriptor)

        try:
            loop.add_reader(self._descriptor, readable)
        except (NotImplementedError, OSError):  # Windows; a file
            return False
        return True

    def _read(self, loop: asyncio.AbstractEventLoop, chunks: asyncio.Queue[bytes]) -> None:
        try:
            while True:
                try:
                    chunk = os.read(self._descriptor, _CHUNK)
                except OSError:  # a broken pipe or console: the end, by another name
                    chunk = b""
                asyncio.run_coroutine_threadsafe(chunks.put(chunk), loop).result()
                if not chunk:
                    return
        except (RuntimeError, asyncio.CancelledError):  # the loop has ended meanwhile
            return


class Writer:
    """Bytes to one descriptor, in order, without ever blocking the loop.

    Args:
        descriptor: written to by nobody else.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._unsent = 0
        self._room = asyncio.Event()
        self._room.set()
        self._ended = asyncio.Event()
        self.closed = False
        self._ready: select.poll | None = None
        if sys.platform != "win32":
            self._ready = select.poll()
            self._ready.register(descriptor, select.POLLOUT)
        threading.Thread(target=self._write, name="stdout", daemon=True).start()

    async def write(self, data: bytes) -> None:
        """Send; waits while too much is unsent. Silently does nothing once the reader is gone."""
        while not self._room.is_set() and not self.closed:
            await self._room.wait()
        if self.closed:
            return
        data = self._write_at_once(data)
        if not data:
            return
        self._unsent += len(data)
        if self._unsent >= _UNSENT_LIMIT:
            self._room.clear()
        self._queue.put(data)

    async def flush(self) -> None:
        """Wait until everything is out. Nothing can be sent afterwards."""
        self._queue.put(None)
        await self._ended.wait()

    def _write_at_once(self, data: bytes) -> bytes:
        """Write what a pipe takes without waiting, if the thread has nothing to write; what is left to be written."""
        if self._unsent or self._ready is None or len(data) > select.PIPE_BUF or not self._ready.poll(0):
            return data
        try:
            return data[os.write(self._descriptor, data) :]
        except BlockingIOError:
            return data
        except OSError:  # the reader is gone
            self._end()
            return b""

    def _sent(self, size: int) -> None:
        self._unsent -= size
        if self._unsent < _UNSENT_LIMIT:
            self._room.set()

    def _end(self) -> None:
        self.closed = True
        self._room.set()
        self._ended.set()

    def _write(self) -> None:
        try:
            while (data := self._queue.get()) is not None:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._descriptor, view[:_CHUNK]) :]
                self._loop.call_soon_threadsafe(self._sent, len(data))
        except (OSError, RuntimeError):  # the reader, or our loop, is gone
            pass
        try:
            self._loop.call_soon_threadsafe(self._end)
        except RuntimeError:
            return
