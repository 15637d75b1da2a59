"""What must not overlap in one OpenCode session: its tool calls, and taking its messages back or bringing them back."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager


class SessionTurns:
    """Calls of a session run side by side, its reverts alone and in the order they were announced."""

    def __init__(self) -> None:
        self._reverts: Counter[str] = Counter()
        self._locks: dict[str, asyncio.Lock] = {}
        self._calls: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    @property
    def calls(self) -> int:
        """How many calls are under way."""
        return self._calls.total()

    @asynccontextmanager
    async def call(self, session_id: str, abort: asyncio.Event) -> AsyncIterator[None]:
        """Wait for the session's reverts, which end by themselves; then the body is one of its calls.

        Args:
            abort: setting it ends the waiting; it is for the body to see to.
        """
        if self._reverts[session_id]:
            await self._free(session_id, abort)
        self._calls[session_id] += 1
        try:
            yield
        finally:
            await self._less(self._calls, session_id)

    @asynccontextmanager
    async def revert(self, session_id: str) -> AsyncIterator[None]:
        """Hold back the session's calls from now on; the body begins once its earlier reverts have ended."""
        self._reverts[session_id] += 1
        lock = self._locks.setdefault(session_id, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            await self._less(self._reverts, session_id)
            if not self._reverts[session_id]:
                self._locks.pop(session_id, None)

    async def reverts_ended(self, session_id: str, seconds: float) -> None:
        """Wait until the session is not being reverted, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._free(session_id, asyncio.Event())

    async def calls_ended(self, session_ids: Collection[str], seconds: float) -> bool:
        """Wait until no call of these sessions is under way, at most so long; whether none is."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: not any(self._calls[name] for name in session_ids))
        except TimeoutError:
            return False
        return True

    async def _free(self, session_id: str, abort: asyncio.Event) -> None:
        async def free() -> None:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._reverts[session_id])

        waiting, aborted = asyncio.ensure_future(free()), asyncio.ensure_future(abort.wait())
        try:
            await asyncio.wait({waiting, aborted}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            aborted.cancel()

    async def _less(self, counter: Counter[str], session_id: str) -> None:
        counter[session_id] -= 1
        if counter[session_id] <= 0:
            del counter[session_id]
        async with self._changed:
            self._changed.notify_all()
