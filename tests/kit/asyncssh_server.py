"""An SSH server inside the test process (asyncssh), with a real local `sh` behind exec, and any authentication."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncssh

from tests.kit.counterparts import need


class EmbeddedServer:
    """A server that counts what is tried on it. Use as an asynchronous context manager.

    Args:
        folder: for the keys.
        user: the only user there is.
        password: accepted by the methods switched on; None accepts none.
        use_password: whether the method `password` is offered.
        use_interactive: whether `keyboard-interactive` is offered.
        prompts: the prompts of keyboard-interactive; the answer to the first must be the password.
        further_prompts: asked in a challenge of their own, once the password was right; nothing answers them.
        silent: whether it never says what it thinks of a password.
        authorized: public keys (files) that are accepted.
        sftp: whether there is SFTP, or what serves it.
        process_factory: what carries out commands in place of the local `sh`.
        options: further options of asyncssh.listen, such as kex_algs.
    """

    def __init__(
        self,
        folder: Path,
        *,
        user: str = "tester",
        password: str | None = None,
        use_password: bool = True,
        use_interactive: bool = False,
        prompts: tuple[str, ...] = ("Password: ",),
        further_prompts: tuple[str, ...] = (),
        silent: bool = False,
        authorized: tuple[Path, ...] = (),
        host_key: asyncssh.SSHKey | None = None,
        sftp: bool | Callable[[asyncssh.SSHServerChannel], asyncssh.SFTPServer] = True,
        process_factory: Callable[[asyncssh.SSHServerProcess], Awaitable[None]] | None = None,
        options: dict | None = None,
    ) -> None:
        self.user = user
        self.password = password
        self.use_password = use_password
        self.use_interactive = use_interactive
        self.prompts = prompts
        self.further_prompts = further_prompts
        self.silent = silent
        self.authorized = {asyncssh.read_public_key(path).public_data for path in authorized}
        self.host_key = host_key or asyncssh.generate_private_key("ssh-ed25519")
        self.known_hosts = folder / "embedded_known_hosts"
        self.port = 0
        self.connections = 0
        self.auth_begun = 0
        self.passwords: list[str] = []
        self.answers: list[list[str]] = []
        self.keys_offered = 0
        self._sftp = sftp
        self._process_factory = process_factory or run_locally
        self._options = options or {}
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._open: set[asyncssh.SSHServerConnection] = set()

    async def __aenter__(self) -> EmbeddedServer:
        need("sh")
        self._acceptor = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: _Server(self),
            server_host_keys=[self.host_key],
            process_factory=self._process_factory,
            encoding=None,
            sftp_factory=self._sftp or None,
            **self._options,
        )
        self.port = self._acceptor.get_port()
        public = self.host_key.export_public_key("openssh").decode().strip()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {' '.join(public.split()[:2])}\n")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._acceptor is not None
        self._acceptor.close()
        self.cut()
        await self._acceptor.wait_closed()

    def cut(self) -> None:
        """Break every connection at once."""
        for connection in tuple(self._open):
            connection.abort()

    def ssh_command(self, *extra: str) -> str:
        """A value for REMOTE_SSH that uses nothing of the user's own ssh configuration."""
        words = ["ssh", "-F", "none", "-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "GlobalKnownHostsFile=none"]
        words += ["-o", "StrictHostKeyChecking=yes", "-o", "IdentityAgent=none", "-p", str(self.port)]
        if not any(word == "-i" for word in extra):
            words += ["-o", "IdentityFile=none"]
        return shlex.join([*words, *extra, f"{self.user}@127.0.0.1"])


class _Server(asyncssh.SSHServer):
    def __init__(self, kit: EmbeddedServer) -> None:
        self._kit = kit
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._kit.connections += 1
        self._kit._open.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._kit._open.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        self._kit.auth_begun += 1
        return True

    def password_auth_supported(self) -> bool:
        return self._kit.use_password

    async def validate_password(self, username: str, password: str) -> bool:  # type: ignore[override]
        self._kit.passwords.append(password)
        if self._kit.silent:
            await asyncio.Event().wait()
        return username == self._kit.user and password == self._kit.password

    def kbdint_auth_supported(self) -> bool:
        return self._kit.use_interactive

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str):
        return "", "", "", [(prompt, False) for prompt in self._kit.prompts]

    def validate_kbdint_response(self, username: str, responses):
        self._kit.answers.append(list(responses))
        if self._kit.further_prompts and list(responses) == [self._kit.password]:
            return "", "", "", [(prompt, False) for prompt in self._kit.further_prompts]
        return username == self._kit.user and bool(responses) and responses[0] == self._kit.password

    def public_key_auth_supported(self) -> bool:
        return bool(self._kit.authorized)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._kit.keys_offered += 1
        return key.public_data in self._kit.authorized

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return True  # A jump host.


async def run_locally(process: asyncssh.SSHServerProcess) -> None:
    """Carry out a command by the local `sh`."""
    command = process.command or "exec sh"
    child = await asyncio.create_subprocess_exec(
        "sh", "-c", command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, start_new_session=True, env={**os.environ, **process.env},
    )  # fmt: skip
    assert child.stdout is not None and child.stderr is not None
    stdin = child.stdin
    assert stdin is not None

    async def feed() -> None:
        with contextlib.suppress(OSError, asyncssh.Error, asyncssh.BreakReceived):
            while data := await process.stdin.read(65536):
                stdin.write(data)
                await stdin.drain()
        stdin.close()

    async def pump(source: asyncio.StreamReader, sink: asyncssh.SSHWriter) -> None:
        with contextlib.suppress(OSError, asyncssh.Error):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()

    feeding = asyncio.create_task(feed())
    try:
        await asyncio.gather(pump(child.stdout, process.stdout), pump(child.stderr, process.stderr))
        code = await child.wait()
    finally:
        feeding.cancel()
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    if code < 0:
        process.exit_with_signal(_signal_name(-code))
    else:
        process.exit(code)


def _signal_name(number: int) -> str:
    return signal.Signals(number).name.removeprefix("SIG")
