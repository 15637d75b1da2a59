"""Sessions of ours on one server, each over a link of its own that can be cut; for tests that are not coroutines."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.locations import state_folder
from pybridge.mirror.temporaries import TemporaryRecords
from tests.kit.pools import through
from tests.kit.sshd import SshServer
from tests.writers.desks import SLUG, Desk, open_desk

T = TypeVar("T")
CALL_SECONDS = 120.0


class World:
    """The sessions, by name. Use as a context manager; `run` runs a coroutine where they live.

    Args:
        server: where they work.
        folder: the workdir.
        names: of the sessions.
    """

    def __init__(self, server: SshServer, folder: Path, names: tuple[str, ...]) -> None:
        self.folder = folder
        self.names = names
        self.desks: dict[str, Desk] = {}
        self.links: dict[str, DelayProxy] = {}
        self._server = server
        self._open: dict[str, contextlib.AsyncExitStack] = {}
        self._links = contextlib.AsyncExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self._begin())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_SECONDS)

    async def connect_anew(self, name: str) -> None:
        """End a session and start another in its place, as an OpenCode that is started again."""
        if name in self._open:
            await self._open.pop(name).aclose()
        stack = contextlib.AsyncExitStack()
        link = through(self._server, self.links[name])
        self.desks[name] = await stack.enter_async_context(open_desk(link, self.folder, f"ses_{name}"))
        self._open[name] = stack

    async def quiet(self) -> None:
        """Wait until no shell works any more on a request that nobody waits for."""
        records = TemporaryRecords(state_folder() / "temporaries", SLUG)
        for request in records.pending():
            while _lives(request.owner.pid, request.owner.started):
                await asyncio.sleep(0.01)

    async def _begin(self) -> None:
        for name in self.names:
            self.links[name] = await self._links.enter_async_context(DelayProxy(self._server.port, 0))
            await self.connect_anew(name)

    async def _end(self) -> None:
        for stack in self._open.values():
            await stack.aclose()
        await self._links.aclose()


def _lives(pid: int, started: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19] == started
    except OSError:
        return False
    except IndexError:
        return Path(f"/proc/{pid}").exists()
