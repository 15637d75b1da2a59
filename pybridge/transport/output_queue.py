"""Pieces of a process's two output streams, in order of arrival, bounded: the sender is made to wait (law 9)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from pybridge.errors import RemoteError
from pybridge.transport.process import Stream

UNREAD_LIMIT = 256 * 1024
"""Bytes of unread output at which the sender is paused; it goes on at half of it."""


class OutputQueue:
    """Filled by a transport's callbacks, emptied by one reader.

    Args:
        pause: called when the sender should stop.
        resume: called when it may go on.
    """

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause = pause
        self._resume = resume
        self._pieces: deque[tuple[Stream, bytes]] = deque()
        self._unread = 0
        self._paused = False
        self._ended = False
        self._error: RemoteError | None = None
        self._changed = asyncio.Event()

    def put(self, stream: Stream, data: bytes) -> None:
        """Add a piece."""
        if self._ended or not data:
            return
        self._pieces.append((stream, data))
        self._unread += len(data)
        self._changed.set()
        if self._unread >= UNREAD_LIMIT and not self._paused:
            self._paused = True
            self._pause()

    def end(self, error: RemoteError | None = None) -> None:
        """No more will come; `error` is why, if that is not the natural end. What is queued can still be read."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._changed.set()

    def discard(self) -> None:
        """Drop what is unread and end."""
        self._pieces.clear()
        self._unread = 0
        self.end()

    async def get(self) -> tuple[Stream, bytes] | None:
        """The next piece; None at the end.

        Raises:
            RemoteError: the one given to `end`.
        """
        while not self._pieces:
            if self._ended:
                if self._error is not None:
                    raise self._error
                return None
            self._changed.clear()
            await self._changed.wait()
        stream, data = self._pieces.popleft()
        self._unread -= len(data)
        if self._paused and self._unread <= UNREAD_LIMIT // 2:
            self._paused = False
            self._resume()
        return stream, data
