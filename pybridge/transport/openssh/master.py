"""Our own shared connection: one ssh process that logs in once, and ends with whoever wanted it.

ssh goes to the background once it is logged in (-f). Beside it waits a small `sh` on a pipe: when the last holder of
the pipe's other end has gone, however it went, it ends the ssh process and removes the folder with the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from asyncio.subprocess import Process
from pathlib import Path

from pybridge.errors import ConnectError, ConnectTimeoutError, LocalStorageError
from pybridge.transport.credentials import Credentials
from pybridge.transport.openssh.configuration import Openssh
from pybridge.transport.openssh.failures import describe_failure
from pybridge.transport.openssh.questions import Questions

LOGIN_SECONDS = 150.0
"""How long a login may take in all where nobody sits at the terminal: longer than a server's own limit (120 s)."""
PREFIX = "pybridge-ssh-"
_LONGEST_PATH = 104 - 1 - 17 - 1
"""Of a socket's path: macOS has 104 bytes, and ssh adds a dot and 16 letters while it makes it."""
_CONNECT_SECONDS = 15
_KEEPALIVE_SECONDS = 15
_SAID_LIMIT = 256 * 1024
_END_SECONDS = 1.0

_KEEPER = """
trap '' HUP INT TERM
while read -r x; do :; done
exec 0</dev/null
[ -s "$1/login" ] && kill "$(cat "$1/login")"
"$2" -F none -S "$1/c" -O exit -- pybridge
rm -rf -- "$1"
"""


class Master:
    """A shared connection of our own. Made by `open`.

    Attributes:
        path: of its control socket.
        server: the server's name of itself, where it is known.
    """

    def __init__(self, folder: Path, keeper: _Keeper, server: str | None) -> None:
        self._folder = folder
        self._keeper = keeper
        self.path = str(folder / "c")
        self.server = server

    @classmethod
    async def open(cls, ssh: Openssh, credentials: Credentials, *, terminal: bool = False) -> Master:
        """Log in.

        Args:
            ssh: what to run.
            credentials: secrets that answer what ssh asks.
            terminal: whether the user sits at the terminal and is asked there.

        Raises:
            ConnectError: and below: no login. AuthenticationError, HostKeyError and so on where ssh says so.
            ConfigurationError: ssh refuses its configuration.
            LocalStorageError: no private folder can be made.
        """
        folder = _folder()
        try:
            keeper = _Keeper(folder, ssh.command.program)
        except OSError as error:
            folder.rmdir()
            raise LocalStorageError(f"sh cannot be started: {error.strerror or error}.") from error
        try:
            server = await _log_in(ssh, credentials, folder, terminal=terminal)
        except BaseException:
            await asyncio.shield(keeper.end())
            raise
        return cls(folder, keeper, server)

    def hand_over(self) -> None:
        """Let the program this process becomes hold the connection."""
        self._keeper.hand_over()

    async def close(self) -> None:
        """End it, and wait until that is done."""
        await self._keeper.end()


class _Keeper:
    """The small `sh` that ends the connection, and our end of its pipe."""

    def __init__(self, folder: Path, program: str) -> None:
        self._folder = folder
        reading, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                ["sh", "-c", _KEEPER, "pybridge-ssh", str(folder), program],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # what ends the terminal's processes, or ours, does not end it
            )
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(reading)

    def hand_over(self) -> None:
        os.set_inheritable(self._lifeline, True)

    async def end(self) -> None:
        """Have it do its work, and wait for that; do it ourselves where it is not there any more."""
        if self._lifeline < 0:
            return
        os.close(self._lifeline)
        self._lifeline = -1
        deadline = time.monotonic() + _END_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        shutil.rmtree(self._folder, ignore_errors=True)


async def _log_in(ssh: Openssh, credentials: Credentials, folder: Path, *, terminal: bool) -> str | None:
    own_program = os.environ.get("SSH_ASKPASS") or None
    said, login = folder / "said", folder / "login"
    options = _options(ssh, credentials, terminal=terminal)
    async with contextlib.AsyncExitStack() as closing:
        questions = Questions(ssh.target, credentials, folder, None if terminal else own_program, terminal=terminal)
        await closing.enter_async_context(questions)
        environment = dict(os.environ)
        if not terminal or credentials.has_secrets:
            # A display is what old versions want to see before they ask by a program.
            environment = {"DISPLAY": ":0", **environment, **questions.environment}
        output = None if terminal else closing.enter_context(said.open("ab"))
        process = await asyncio.create_subprocess_exec(
            *ssh.command.words("-f", "-N", "-T", "-S", str(folder / "c"), *options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=not terminal,
        )
        login.write_bytes(b"%d\n" % process.pid)
        try:
            status = await _wait(process, questions, None if terminal else LOGIN_SECONDS)
        except TimeoutError as error:
            raise ConnectTimeoutError(
                f"ssh did not finish its login to {ssh.target} within {LOGIN_SECONDS:.0f} s.",
                next_step="It may wait for a touch. Start OpenCode with `pybridge launch` in a terminal.",
            ) from error
        finally:
            login.unlink(missing_ok=True)
            if process.returncode is None:
                await _stop(process)
        text = "" if terminal else _read(said)
        if status == 0 and (folder / "c").exists():
            return _server(text)
        if terminal:
            raise ConnectError(
                f"ssh could not log in to {ssh.target}; what it said stands above.",
                next_step="Correct it and try again.",
            )
        raise describe_failure(ssh.target, text, questions.remarks)


async def _stop(process: Process) -> None:
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _END_SECONDS)
    except TimeoutError:  # it misses a signal that comes just before it waits for its sockets
        process.kill()
        await process.wait()


async def _wait(process: Process, questions: Questions, seconds: float | None) -> int:
    """Wait for the login to succeed or fail."""
    ended = asyncio.ensure_future(process.wait())
    try:
        async with asyncio.timeout(seconds):
            await asyncio.wait({ended, questions.giving_up}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.cancel()
    if questions.giving_up.done():
        raise questions.giving_up.result()
    return ended.result()


def _options(ssh: Openssh, credentials: Credentials, *, terminal: bool) -> list[str]:
    options = ["ControlMaster=yes", "ControlPersist=no"]
    if ssh.values.get("remotecommand", "none") != "none":
        options.append("RemoteCommand=none")
    if not terminal:
        options.append("LogLevel=DEBUG1")
    if credentials.password is not None and not terminal:
        options.append("NumberOfPasswordPrompts=1")
    if ssh.values.get("connecttimeout", "none") == "none":
        options.append(f"ConnectTimeout={_CONNECT_SECONDS}")
    if ssh.number("serveraliveinterval") == 0:
        options.append(f"ServerAliveInterval={_KEEPALIVE_SECONDS}")
    return [word for option in options for word in ("-o", option)]


def _folder() -> Path:
    for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):
        if not parent or not Path(parent).is_absolute():
            continue
        try:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))  # 0700
        except OSError:
            continue
        if len(os.fsencode(folder / "c")) <= _LONGEST_PATH:
            return folder
        folder.rmdir()
    raise LocalStorageError(
        "No private folder for the socket of ssh can be made.",
        next_step="Set TMPDIR to a folder on a local disk with a short path.",
    )


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_SAID_LIMIT).decode("utf-8", "replace")


def _server(said: str) -> str | None:
    found = re.search(r"remote software version (\S+)", said)
    return found[1] if found else None
