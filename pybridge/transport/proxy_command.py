"""Runs a ProxyCommand: a local program whose standard streams carry the connection, or that sends a socket for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process

from pybridge.errors import ConfigurationError, ConnectError

_LAST_WORDS = 500
_CHUNK = 65536


class ProxyCommand:
    """A running ProxyCommand and our end of its connection."""

    def __init__(self, process: Process, connection: socket.socket, relay: _Relay | None = None) -> None:
        self._process = process
        self._relay = relay
        self._said = b""
        self._listener = asyncio.create_task(self._listen())
        self.socket = connection

    @classmethod
    async def start(
        cls, command: str, *, sends_socket: bool = False, through_pipes: bool = os.name == "nt"
    ) -> ProxyCommand:
        """Start the command with the user's shell, as OpenSSH does.

        Args:
            sends_socket: the command connects, sends the socket to its standard output and ends (ProxyUseFdpass).
            through_pipes: give it pipes, which are relayed, for a system where a socket cannot be a standard stream.

        Raises:
            ConfigurationError: it cannot be run on this system.
            ConnectError: it sent no socket.
        """
        if sends_socket and not hasattr(socket, "recv_fds"):
            raise ConfigurationError(
                "ProxyUseFdpass cannot be used on Windows, where no socket can be sent.",
                next_step="Add -o ProxyUseFdpass=no to REMOTE_SSH, or use ProxyJump (-J).",
            )
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            if through_pipes:
                process = await _run(command, PIPE, PIPE)
                return cls(process, ours, _Relay(process, theirs))
            process = await _run(command, DEVNULL if sends_socket else theirs.fileno(), theirs.fileno())
        except OSError as error:
            ours.close()
            theirs.close()
            raise ConfigurationError(
                f"ProxyCommand {command!r} cannot be run: {error.strerror}.",
                next_step="Correct it in your ssh options.",
            ) from error
        theirs.close()
        proxy = cls(process, ours)
        if sends_socket:
            await proxy._receive_socket(command)
        return proxy

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

    async def _receive_socket(self, command: str) -> None:
        """Take the connected socket the command sends, in the place of our end."""
        channel = self.socket
        try:
            await _readable(channel)
            _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
        except BaseException:
            self.close()
            raise
        finally:
            channel.close()
        if not descriptors:
            raise ConnectError(
                f"ProxyCommand {command!r} ended without a connection.{await self.last_words()}",
                next_step="ProxyUseFdpass is for commands that send a socket, such as nc -F; add -o ProxyUseFdpass=no.",
            )
        self.socket = socket.socket(fileno=descriptors[0])
        self.socket.setblocking(False)

    def close(self) -> None:
        """End the command."""
        if self._relay is not None:
            self._relay.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    async def wait_closed(self) -> None:
        """Wait until the command has ended."""
        await self._process.wait()


async def _run(command: str, stdin: int, stdout: int) -> Process:
    if os.name == "nt":
        return await asyncio.create_subprocess_shell(command, stdin=stdin, stdout=stdout, stderr=PIPE)
    return await asyncio.create_subprocess_shell(
        f"exec {command}",
        stdin=stdin,
        stdout=stdout,
        stderr=PIPE,
        executable=os.environ.get("SHELL") or "/bin/sh",
        start_new_session=True,
    )


async def _readable(channel: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(channel, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(channel)


class _Relay:
    """Carries bytes between a command's pipes and a socket, in both directions, no faster than either end reads."""

    def __init__(self, process: Process, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._process = process
        self._connection = connection
        self._task = asyncio.create_task(self._carry())

    def close(self) -> None:
        """Stop."""
        self._task.cancel()

    async def _carry(self) -> None:
        try:
            await asyncio.gather(self._to_command(), self._from_command())
        except OSError:
            pass  # One end is gone; closing the other tells it so.
        finally:
            self._connection.close()

    async def _to_command(self) -> None:
        loop, stdin = asyncio.get_running_loop(), self._process.stdin
        assert stdin is not None
        while chunk := await loop.sock_recv(self._connection, _CHUNK):
            stdin.write(chunk)
            await stdin.drain()
        stdin.close()

    async def _from_command(self) -> None:
        loop, stdout = asyncio.get_running_loop(), self._process.stdout
        assert stdout is not None
        while chunk := await stdout.read(_CHUNK):
            await loop.sock_sendall(self._connection, chunk)
        self._connection.shutdown(socket.SHUT_WR)
