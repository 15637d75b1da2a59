"""Runs a ProxyCommand: a local program whose standard streams carry the SSH connection."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from asyncio.subprocess import PIPE, Process

from pybridge.errors import ConfigurationError

_LAST_WORDS = 500


class ProxyCommand:
    """A running ProxyCommand and our end of its connection."""

    def __init__(self, process: Process, connection: socket.socket) -> None:
        self._process = process
        self._said = b""
        self._listener = asyncio.create_task(self._listen())
        self.socket = connection

    @classmethod
    async def start(cls, command: str) -> ProxyCommand:
        """Start the command with the shell, as OpenSSH does.

        Raises:
            ConfigurationError: it cannot be run on this system.
        """
        if os.name == "nt":
            raise ConfigurationError(
                "ProxyCommand is not supported on Windows.", next_step="Use ProxyJump (-J) in its place."
            )
        ours, theirs = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_shell(
                f"exec {command}", stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=PIPE, start_new_session=True
            )
        except OSError as error:
            ours.close()
            raise ConfigurationError(f"ProxyCommand {command!r} cannot be run: {error.strerror}.") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        return cls(process, ours)

    async def last_words(self) -> str:
        """The end of what the command wrote to standard error, as a clause for a message."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._listener), 0.5)
        said = self._said.decode("utf-8", "replace").strip()
        return f" The ProxyCommand said: {said}" if said else ""

    async def _listen(self) -> None:
        """Keep the end of standard error; it must be read lest the command stalls."""
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(4096):
            self._said = (self._said + chunk)[-_LAST_WORDS:]

    def close(self) -> None:
        """End the command."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    async def wait_closed(self) -> None:
        """Wait until the command has ended."""
        await self._process.wait()
