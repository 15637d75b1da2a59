"""Connects to a server while all that speaks SSH to it is still being loaded.

TCP's handshake and the exchange of versions (RFC 4253, section 4.2) need nothing of that, and take as long on a slow
link. The server sends its first list of algorithms as soon as it knows our version, so that is there by then, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace

from pybridge.transport.asyncssh_parts import asyncssh_version
from pybridge.transport.ssh_target import SshTarget
from pybridge.transport.tcp import open_tcp

LIFE_SECONDS = 5.0
"""How long a connection waits to be used. One that was not is closed: the server counts it (MaxStartups)."""


@dataclass(frozen=True)
class Begun:
    """A TCP connection on which nothing was received yet.

    Args:
        sock: not blocking; whoever has it closes it.
        version: the software version we have sent, without `SSH-2.0-`; None where nothing was sent.
    """

    sock: socket.socket
    version: str | None


class HeadStart:
    """A connection to one server, begun when this is made, and used by one attempt to log in.

    Args:
        target: to be reached without any other host or program between.
        on_taken: called once when it is taken.
    """

    def __init__(self, target: SshTarget, on_taken: Callable[[], None] | None = None) -> None:
        self._target = target
        self._on_taken = on_taken
        self._task: asyncio.Task[Begun] | None = asyncio.ensure_future(self._begin())
        self._task.add_done_callback(_look_at_failure)
        self._timer = asyncio.get_running_loop().call_later(LIFE_SECONDS, self.close)

    @classmethod
    def towards(cls, target: SshTarget, on_taken: Callable[[], None] | None = None) -> HeadStart | None:
        """A head start where one can be had: not through a jump host or a ProxyCommand, nor where attempts are many."""
        if target.jumps or target.proxy_command is not None or target.connection_attempts > 1:
            return None
        return cls(target, on_taken)

    async def take(self) -> Begun | None:
        """The connection, waiting for it; None when it was taken before, or given up.

        Raises:
            RemoteError: as `open_tcp`.
        """
        task, self._task = self._task, None
        if task is None:
            return None
        self._timer.cancel()
        if self._on_taken is not None:
            self._on_taken()
        try:
            return await task
        except asyncio.CancelledError:
            task.add_done_callback(_close)
            raise

    def close(self) -> None:
        """Give it up, unless it was taken."""
        task, self._task = self._task, None
        self._timer.cancel()
        if task is None:
            return
        task.cancel()
        task.add_done_callback(_close)

    async def _begin(self) -> Begun:
        # Whoever takes this has a limit in time of its own, and its own words for it.
        options = replace(self._target.tcp, attempt_seconds=None)
        sock = await open_tcp(self._target.host, self._target.port, options)
        return Begun(sock, _say_version(sock))


def _say_version(sock: socket.socket) -> str | None:
    version = client_version()
    if version is None:
        return None
    line = f"SSH-2.0-{version}\r\n".encode()
    # A new connection has room for so little. Whatever is wrong with it shows again where it is used.
    with contextlib.suppress(OSError):
        return version if sock.send(line) == len(line) else None
    return None


def client_version() -> str | None:
    """What asyncssh calls itself; None where that cannot be known without loading it."""
    version = asyncssh_version()
    return None if version is None else f"AsyncSSH_{version}"


def _look_at_failure(task: asyncio.Task[Begun]) -> None:
    if not task.cancelled():
        task.exception()  # One that nobody takes is not worth a word in the log.


def _close(task: asyncio.Task[Begun]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().sock.close()
