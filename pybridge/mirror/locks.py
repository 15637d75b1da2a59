"""One change at a time per remote file, within this process.

Between processes see `turns`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pybridge.errors import RemoteTimeoutError


class FileLocks:
    """Locks by remote path, first come first served.

    Args:
        timeout: seconds to wait for all the paths of one call.
    """

    def __init__(self, *, timeout: float = 120.0) -> None:
        self._timeout = timeout
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def hold(self, *paths: str, wait: float | None = None) -> AsyncIterator[None]:
        """Hold the locks of all paths for the body; let go of them however it ends.

        They are taken in sorted order, so calls with several paths never wait for each other in a circle. Do not call
        it again inside the body.

        Args:
            paths: remote absolute paths, symlinks resolved.
            wait: seconds to wait, instead of the usual.

        Raises:
            RemoteTimeoutError: a path was not free in time; names it.
        """
        limit = self._timeout if wait is None else wait
        names = sorted(set(paths))
        for name in names:
            self._locks.setdefault(name, asyncio.Lock())
            self._users[name] = self._users.get(name, 0) + 1
        held: list[asyncio.Lock] = []
        waiting = ""
        try:
            try:
                async with asyncio.timeout(limit):
                    for name in names:
                        waiting = name
                        await self._locks[name].acquire()
                        held.append(self._locks[name])
            except TimeoutError:
                raise RemoteTimeoutError(
                    f"{waiting} is in use: another call has held it for {limit:g} s. Nothing was changed.",
                    next_step="Try again once that call has ended, or abort it.",
                ) from None
            yield
        finally:
            for lock in reversed(held):
                lock.release()
            for name in names:
                self._users[name] -= 1
                if not self._users[name]:
                    del self._users[name], self._locks[name]

    def __len__(self) -> int:
        """Paths held or waited for at this moment."""
        return len(self._locks)
