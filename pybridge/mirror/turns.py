"""One replacing of a remote file at a time among this user's processes on this machine.

Compare and replace are two steps on the remote, a few milliseconds apart: two sessions that replace one file at the
same moment could both find it as expected, and the later one would take the earlier one's change away (law 3). So
whoever is about to replace files takes their turn first: a lock of the operating system, which ends with its holder,
however that ends. A request that a killed holder left under way is ended by whoever is next (see `host.files`). Other
writers know nothing of turns; between machines the milliseconds stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import filelock

from pybridge.errors import RemoteTimeoutError
from pybridge.locations import private_folder, slug

LANES = 256
"""Lock files of one host. Paths share them by their hash, so that their number is bounded and none is ever removed."""

_LOOK_AGAIN_SECONDS = 0.01


class Turns:
    """The turns for one host.

    Args:
        folder: of all hosts (below `locations.state_folder()`).
        host: slug of the target.
        wait: seconds to wait for all the paths of one change.
    """

    def __init__(self, folder: Path, host: str, *, wait: float = 120.0) -> None:
        self._folder = folder / slug(host)
        self._wait = wait

    @contextlib.asynccontextmanager
    async def take(self, paths: Iterable[str]) -> AsyncIterator[None]:
        """Hold the turn of all paths for the body. It ends with its holder, however that ends.

        On a file system without locks nothing is held: the compare on the remote decides alone.

        Args:
            paths: remote absolute paths, symlinks resolved.

        Raises:
            RemoteTimeoutError: another process did not let go in time; nothing has been sent.
            LocalStorageError: the lock files cannot be made.
        """
        private_folder(self._folder)
        async with contextlib.AsyncExitStack() as held:
            # In one order for everybody, so that nobody waits in a circle.
            for lane in sorted({_lane(path) for path in paths}):
                # Not the asynchronous one: a patch takes many, and each would take twice as long.
                lock = filelock.FileLock(self._folder / f"{lane:02x}.lock", mode=0o600, thread_local=False)
                try:
                    await self._acquire(lock)
                except filelock.Timeout:
                    raise RemoteTimeoutError(
                        f"Another session has been writing for {self._wait:g} s where this one would. "
                        "Nothing was changed.",
                        next_step="Try again once it has ended.",
                    ) from None
                except (NotImplementedError, OSError):
                    continue
                held.callback(lock.release)
            yield

    async def _acquire(self, lock: filelock.BaseFileLock) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait
        while True:
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                if loop.time() >= until:
                    raise
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            else:
                return


def _lane(path: str) -> int:
    return hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=1).digest()[0] % LANES
