"""Answers what ssh asks while it logs in, from the secrets the user has set; each secret once (accounts lock).

ssh asks through the program `askpass`, which asks here: it sends `KIND LF PROMPT` and ends its side; the reply is one
byte, and the answer. The socket lies in a folder of mode 0700 and lives as long as the login.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from pybridge.errors import AuthenticationError, HostKeyUnknownError, LocalStorageError
from pybridge.locations import private_folder, state_folder, write_private
from pybridge.transport.credentials import Credentials
from pybridge.transport.openssh.askpass import ANSWER, NEXT, PASS_ON, REFUSE, SOCKET, TERMINAL
from pybridge.transport.secret_sources import Found, SecretSources
from pybridge.transport.ssh_target import SshTarget

log = logging.getLogger(__name__)

_ONE_TIME = ("one-time", "one time", "otp", "verification", "token", "code", "duo", "authenticator")
_LARGEST = 64 * 1024
_NAMED = re.compile(r"\((.+?)\) (.*)", re.DOTALL)
"""Since 8.5 ssh says whose question a keyboard-interactive one is: `(user@host) Password:`."""
AT_THE_TERMINAL = (
    "Start OpenCode with `pybridge launch` in a terminal: there ssh asks before OpenCode begins. Or log in with `ssh` "
    "and a ControlPath of your own, which is then used; or set SSH_ASKPASS to a program that asks in a window."
)


class Questions:
    """Listens for questions while ssh logs in. Use as an asynchronous context manager.

    Args:
        target: whose password it is: no other host gets it.
        credentials: the secrets.
        folder: private; where the socket is put.
        own_program: the user's own askpass program.
        terminal: whether the user can be asked at the terminal.
    """

    def __init__(
        self, target: SshTarget, credentials: Credentials, folder: Path, own_program: str | None, *, terminal: bool
    ) -> None:
        self._target = target
        self._credentials = credentials
        self._path = folder / "ask"
        self._own_program = own_program
        self._terminal = terminal
        # SSH_ASKPASS is asked last, and by the name ssh gives its question.
        self._sources = SecretSources(replace(credentials, askpass=None))
        self._password: Found | None = None
        self._passphrase_given: set[str] = set()
        self._server: asyncio.Server | None = None
        self.remarks: list[str] = []
        self.giving_up: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        """Set with the reason when there is no use in going on."""

    @property
    def environment(self) -> dict[str, str]:
        """Variables for ssh."""
        variables = {"SSH_ASKPASS": str(_program()), "SSH_ASKPASS_REQUIRE": "force", SOCKET: str(self._path)}
        if self._own_program:
            variables[NEXT] = self._own_program
        if self._terminal:
            variables[TERMINAL] = "1"
        return variables

    async def __aenter__(self) -> Questions:
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path)
            self._path.chmod(0o600)
        except (OSError, ValueError) as error:
            raise LocalStorageError(f"No socket can be made at {self._path}: {error}.") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._sources.close()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            try:
                asked = (await reader.read(_LARGEST)) + (await reader.read(_LARGEST))
                kind, _, prompt = asked.decode("utf-8", "surrogateescape").partition("\n")
                reply = await self.answer(kind, prompt)
                if reply is not None:
                    writer.write(reply)
                    await writer.drain()
                else:
                    await asyncio.wait({self.giving_up})  # ssh is ended; without an answer it sends nothing more
                    await asyncio.sleep(1)
            finally:
                writer.close()

    async def answer(self, kind: str, prompt: str) -> bytes | None:
        """The reply to one question; None where ssh is to be ended instead."""
        elsewhere = PASS_ON if self._own_program or self._terminal else None
        if kind == "none":
            log.warning("ssh: %s", prompt)
            return elsewhere or REFUSE
        if "continue connecting" in prompt:
            return self._host_key(prompt)
        if prompt.startswith("Enter passphrase for"):
            return self._passphrase(prompt) or elsewhere or self._locked(prompt)
        if self._asks_for_password(prompt):
            if self._password is not None:
                return self._give_up(
                    AuthenticationError(
                        f"{self._target} did not accept the password. It is not tried again, since accounts lock.",
                        next_step=self._password.correction,
                    )
                )
            self._password = await self._sources.password(self._target, is_jump_host=False)
            if self._sources.failure is not None:
                return self._give_up(self._sources.failure)
            if self._password is not None:
                return ANSWER + self._password.value.encode("utf-8", "surrogateescape")
        return elsewhere or self._give_up(
            AuthenticationError(
                f"To log in to {self._target}, ssh asks {prompt.strip()!r}, and here nobody can answer.",
                next_step=("Set REMOTE_PASSWORD.\n" if self._asks_for_password(prompt) else "") + AT_THE_TERMINAL,
            )
        )

    def _host_key(self, prompt: str) -> bytes | None:
        if self._terminal:
            return PASS_ON
        shown = " ".join(prompt.split("Are you sure")[0].split())
        return self._give_up(HostKeyUnknownError(
            f"The host key of {self._target} is not known: {shown}",
            next_step="Compare the fingerprint; then log in once with `ssh` in a terminal and accept it, or add to "
            "REMOTE_SSH: -o StrictHostKeyChecking=accept-new",
        ))  # fmt: skip

    def _passphrase(self, prompt: str) -> bytes | None:
        if self._credentials.key_passphrase is None or prompt in self._passphrase_given:
            return None
        self._passphrase_given.add(prompt)
        return ANSWER + self._credentials.key_passphrase.encode("utf-8", "surrogateescape")

    def _locked(self, prompt: str) -> bytes:
        """An encrypted key that stays shut; ssh goes on with the next one when it gets no passphrase."""
        key = prompt.removeprefix("Enter passphrase for").strip(" :").removeprefix("key ")
        wrong = prompt in self._passphrase_given
        step = "REMOTE_KEY_PASSPHRASE does not open it" if wrong else "it is encrypted; set REMOTE_KEY_PASSPHRASE"
        remark = f"key {key}: {step}"
        if remark not in self.remarks:
            self.remarks.append(remark)
        return ANSWER

    def _asks_for_password(self, prompt: str) -> bool:
        """Whether this is the target's question for a password, and not a jump host's or one for a code."""
        host = self._target.host_key_alias or self._target.host
        whom = {f"{self._target.user}@{name}".lower() for name in (host, self._target.host)}
        if any(prompt.lower() == f"{name}'s password: " for name in whom):
            return True
        named = _NAMED.match(prompt)
        if named is not None:
            ours, question = named[1].lower() in whom, named[2].lower()
        else:
            ours, question = not self._target.jumps, prompt.lower()
        return ours and "password" in question and not any(word in question for word in _ONE_TIME)

    def _give_up(self, why: Exception) -> None:
        if not self.giving_up.done():
            self.giving_up.set_result(why)


def _program() -> Path:
    """The askpass program: ssh takes one file, without arguments.

    Raises:
        LocalStorageError: it cannot be written.
    """
    content = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m pybridge.transport.openssh.askpass "$@"\n'.encode()
    name = f"pybridge-askpass-{hashlib.sha256(content).hexdigest()[:10]}"
    path = private_folder(state_folder()) / name
    try:
        if not path.is_file() or path.read_bytes() != content:
            write_private(path, content, durable=False)
        path.chmod(0o700)
    except OSError as error:
        raise LocalStorageError(f"The file {path} cannot be used: {error.strerror or error}.") from error
    return path
