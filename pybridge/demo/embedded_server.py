"""An SSH server on loopback, for the demo and for tests: a newcomer's machine has no host to try pybridge on.

It is asyncssh's server with throw-away keys, made to behave like an sshd where a client can tell: each command runs in
the real `sh` in a session and process group of its own, its two output streams arrive apart, exit status and signals
are reported, and the SFTP subsystem is rooted at `/` with relative paths taken from the home folder. One difference:
asyncssh can report an exit only together with closing the channel, so where a background job still holds the output
open, the channel closes `SILENCE` seconds after the command ended instead of staying open.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

import asyncssh
from asyncssh.channel import SSHChannel

SILENCE = 0.2
"""Seconds without output after a command's end, after which its channel is closed although a child holds it open."""

USER = "demo"
"""The user name to log in with; the server runs everything as whoever started it."""


class EmbeddedServer:
    """An SSH server on 127.0.0.1 with its own keys, known_hosts and folders, all in one temporary folder.

    Use as an async context manager. POSIX only: the "remote" needs a POSIX `sh`.

    Args:
        extra_environment: variables every command gets, above PATH, HOME, USER, SHELL, LANG and TMPDIR.
    """

    def __init__(self, extra_environment: dict[str, str] | None = None) -> None:
        self._extra = extra_environment or {}
        self._commands: set[_Command] = set()
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._folder: Path | None = None

    async def __aenter__(self) -> EmbeddedServer:
        folder = self._folder = Path(tempfile.mkdtemp(prefix="pybridge-demo-"))
        try:
            for name in ("home", "work", "keys", "tmp"):
                (folder / name).mkdir(mode=0o700)
            host_key = asyncssh.generate_private_key("ssh-ed25519", comment="pybridge-demo-host")
            client_key = asyncssh.generate_private_key("ssh-ed25519", comment="pybridge-demo")
            client_key.write_private_key(self.identity_file)
            self.identity_file.chmod(0o600)
            self._acceptor = await asyncssh.listen(
                "127.0.0.1",
                0,
                server_host_keys=[host_key],
                authorized_client_keys=asyncssh.import_authorized_keys(client_key.export_public_key().decode()),
                process_factory=self._run,
                sftp_factory=self._sftp,
                encoding=None,
                password_auth=False,
                kbdint_auth=False,
            )
            self._host_public = host_key.export_public_key().decode().strip()
            self.trust(self.port)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()
            self._acceptor = None
        for command in tuple(self._commands):
            command.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @property
    def folder(self) -> Path:
        """The temporary folder everything lies in."""
        if self._folder is None:
            raise RuntimeError("the embedded server is not started")
        return self._folder

    @property
    def home(self) -> Path:
        """HOME of the commands."""
        return self.folder / "home"

    @property
    def work(self) -> Path:
        """An empty folder for the work tree."""
        return self.folder / "work"

    @property
    def identity_file(self) -> Path:
        """The client's private key."""
        return self.folder / "keys" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The known_hosts file that holds the server's host key."""
        return self.folder / "keys" / "known_hosts"

    @property
    def port(self) -> int:
        """The port listened on."""
        if self._acceptor is None:
            raise RuntimeError("the embedded server is not started")
        return self._acceptor.get_port()

    def trust(self, port: int) -> None:
        """Add the host key to `known_hosts` under `port`, for a proxy in front of the server."""
        with self.known_hosts.open("a", encoding="ascii") as file:
            file.write(f"[127.0.0.1]:{port} {self._host_public}\n")

    def remote_ssh(self, port: int | None = None) -> str:
        """What goes into REMOTE_SSH to reach this server, or a proxy at `port` in front of it."""
        return (
            f'-F none -p {port or self.port} -i "{self.identity_file}" -o IdentitiesOnly=yes '
            f'-o UserKnownHostsFile="{self.known_hosts}" -o StrictHostKeyChecking=yes {USER}@127.0.0.1'
        )

    def _environment(self) -> dict[str, str]:
        here = str(Path(sys.executable).parent)
        return {
            "PATH": os.pathsep.join([here, os.environ.get("PATH", os.defpath)]),
            "HOME": str(self.home),
            "USER": USER,
            "LOGNAME": USER,
            "SHELL": "/bin/sh",
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "TMPDIR": str(self.folder / "tmp"),
            **self._extra,
        }

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = _Command(process)
        self._commands.add(command)
        try:
            await command.run(self._environment(), self.home)
        finally:
            self._commands.discard(command)

    def _sftp(self, channel: SSHChannel[bytes]) -> asyncssh.SFTPServer:
        return _HomeSFTPServer(channel, os.fsencode(self.home))


class _HomeSFTPServer(asyncssh.SFTPServer):
    """SFTP over the whole file system; relative paths start at the home folder, as sshd's do."""

    def __init__(self, channel: SSHChannel[bytes], home: bytes) -> None:
        super().__init__(cast(Any, channel))
        self._home = home

    def map_path(self, path: bytes) -> bytes:
        return super().map_path(os.path.join(self._home, path))  # noqa: PTH118 - bytes paths


class _Command(asyncio.SubprocessProtocol):
    """One exec or shell request: a local `sh`, wired to the channel's streams."""

    def __init__(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        self._process = process
        self._ended = asyncio.Event()
        self._activity = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._open_pipes = {1, 2}
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.SubprocessTransport | None = None

    async def run(self, environment: dict[str, str], home: Path) -> None:
        """Run the command to its end and report how it ended."""
        wanted = self._process.command
        arguments = ["-c", wanted] if wanted is not None else []
        transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: self, "/bin/sh", *arguments, env=environment, cwd=home, start_new_session=True
        )
        self._transport = transport
        feeder = asyncio.create_task(self._feed())
        try:
            await self._ended.wait()
            await self._drain()
        finally:
            feeder.cancel()
            for descriptor in (0, 1, 2):
                self._close_pipe(descriptor)
        code = transport.get_returncode()
        if not self._process.channel.is_closing():
            if code is not None and code < 0:
                self._process.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
            else:
                self._process.exit(code or 0)
        transport.close()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the command's process group."""
        if self._transport is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._transport.get_pid(), number)

    async def _feed(self) -> None:
        """Carry the channel's input, signals and end to the command."""
        assert self._transport is not None
        pipe = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))
        while True:
            try:
                data = await self._process.stdin.read(65536)
            except asyncssh.SignalReceived as received:
                number = getattr(signal, f"SIG{received.signal}", None)
                if number is not None:
                    self.kill(number)
                continue
            except (asyncssh.BreakReceived, asyncssh.TerminalSizeChanged):
                continue
            except (asyncssh.Error, OSError):
                data = b""
            if not data:
                break
            pipe.write(data)
            await self._writable.wait()
        self._close_pipe(0)
        # The end of input is everyday; a closed channel also closes the command's output, as sshd does.
        await self._process.channel.wait_closed()
        self._close_pipe(1)
        self._close_pipe(2)

    async def _drain(self) -> None:
        while self._open_pipes:
            self._activity.clear()
            try:
                await asyncio.wait_for(self._activity.wait(), SILENCE)
            except TimeoutError:
                return

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._activity.set()
        writer = self._process.stdout if fd == 1 else self._process.stderr
        try:
            writer.write(data)
        except (asyncssh.Error, OSError):
            self._close_pipe(fd)
            return
        pipe = self._pipe(fd)
        if pipe is not None:
            pipe.pause_reading()
            task = asyncio.create_task(self._resume(fd, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _resume(self, fd: int, writer: Any) -> None:
        try:
            await writer.drain()
        except (asyncssh.Error, OSError):
            self._close_pipe(fd)
            return
        pipe = self._pipe(fd)
        if pipe is not None and not pipe.is_closing():
            pipe.resume_reading()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open_pipes.discard(fd)
        self._activity.set()
        if fd == 0:
            self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def process_exited(self) -> None:
        self._ended.set()

    def _pipe(self, fd: int) -> asyncio.ReadTransport | None:
        return None if self._transport is None else cast(Any, self._transport.get_pipe_transport(fd))

    def _close_pipe(self, fd: int) -> None:
        pipe = self._pipe(fd)
        if pipe is not None:
            pipe.close()
