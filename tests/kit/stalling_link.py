"""A link to a server that can be made to hang: a `DelayProxy` in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from pybridge.demo.delay_proxy import DelayProxy
from tests.kit.sshd import SshServer


class StallingLink:
    """Forwards to an SSH server without delay, until it is told to hang. Use as a context manager.

    Args:
        server: where it leads.
    """

    def __init__(self, server: SshServer) -> None:
        self._server = server
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)

    @property
    def ssh_command(self) -> str:
        """A value for REMOTE_SSH that goes through this link."""
        known_hosts = self._server.folder / f"known_hosts_{self._proxy.port}"
        known = self._server.known_hosts.read_text()
        known_hosts.write_text(known.replace(f"]:{self._server.port} ", f"]:{self._proxy.port} "))
        return self._server.ssh_command_with(port=self._proxy.port, known_hosts=known_hosts)

    def stall(self) -> None:
        """Nothing comes through from now on."""
        self._call(self._proxy.stall)

    def resume(self) -> None:
        """Everything comes through again."""
        self._call(self._proxy.resume)

    def forsake(self) -> None:
        """Nothing of the connections there are comes through any more; new ones are served."""
        self._call(self._proxy.forsake)

    @property
    def connections(self) -> int:
        """How many there have been."""
        return self._proxy.connections

    def _call(self, change: Callable[[], object]) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (change(), done.set()))
        assert done.wait(30)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        async with DelayProxy(self._server.port, 0) as self._proxy:
            self._ready.set()
            await self._over.wait()
