"""Finds passwords and passphrases when they are needed, in the order README gives; asks for each at most once.

What was found is kept in memory for as long as the session, so that five connections ask once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from pybridge.errors import ConfigurationError, RemoteError
from pybridge.logs import register_secret
from pybridge.transport import system_keyring
from pybridge.transport.credentials import Credentials
from pybridge.transport.password_command import run_password_command
from pybridge.transport.ssh_target import SshTarget

ANSWER_SECONDS = 100.0
"""How long a person may take to answer: less than the 120 s OpenSSH's servers give a login (LoginGraceTime)."""

_PASSPHRASE_TRIES = 3


@dataclass(frozen=True)
class Found:
    """A secret. `origin` says in a few words where it is from, `correction` what to do if it is wrong."""

    value: str = field(repr=False)
    origin: str
    correction: str


class SecretSources:
    """Where the secrets of one session come from.

    `remarks` are on sources that could not be used; `failure` is why one that should have had a password has none.

    Args:
        credentials: what was given, and where to look further.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._asked: dict[str, asyncio.Task[Found | None]] = {}
        self.remarks: list[str] = []
        self.failure: RemoteError | None = None

    async def password(self, server: SshTarget, *, is_jump_host: bool) -> Found | None:
        """The password for a login, None if there is none; asked for when this is first called.

        Args:
            is_jump_host: REMOTE_PASSWORD and REMOTE_PASSWORD_COMMAND are for the target only.
        """
        account = system_keyring.account_of(server)
        return await self._once(account, lambda: self._find_password(server, account, is_jump_host))

    async def passphrases(self, path: Path) -> AsyncGenerator[Found, None]:
        """Passphrases to try on an encrypted key file, one after the other until one opens it."""
        given = self._credentials.key_passphrase
        if given is not None:
            yield Found(given, "REMOTE_KEY_PASSPHRASE", "Correct REMOTE_KEY_PASSPHRASE.")
        if (kept := await self._look_up(system_keyring.account_of_key(path))) is not None:
            yield Found(kept, "the system keyring", f"Run `pybridge password set --key {path}` again.")
        for attempt in range(_PASSPHRASE_TRIES):
            prompt = f"Bad passphrase, try again for {path}: " if attempt else f"Enter passphrase for key '{path}': "
            if (answer := await self._ask(prompt)) is None:
                return
            yield Found(answer, "SSH_ASKPASS", "Start again to be asked again.")

    async def close(self) -> None:
        """Give up what is still being asked."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def _once(self, name: str, ask: Callable[[], Awaitable[Found | None]]) -> Found | None:
        """The answer to a question that is put only once, even if who waits for it has to give up meanwhile."""

        async def put() -> Found | None:
            try:
                return await ask()
            except ConfigurationError as error:
                self.failure = error
                return None

        if name not in self._asked:
            self._asked[name] = asyncio.create_task(put())
        return await asyncio.shield(self._asked[name])

    async def _find_password(self, server: SshTarget, account: str, is_jump_host: bool) -> Found | None:
        given = self._credentials
        if not is_jump_host and given.password is not None:
            return Found(given.password, "REMOTE_PASSWORD", "Correct REMOTE_PASSWORD.")
        if not is_jump_host and given.password_command is not None:
            text = await run_password_command(given.password_command, seconds=ANSWER_SECONDS)
            register_secret(text)
            return Found(text, "REMOTE_PASSWORD_COMMAND", "Check what REMOTE_PASSWORD_COMMAND prints first.")
        if (kept := await self._look_up(account)) is not None:
            return Found(kept, "the system keyring", f"Run `pybridge password set` again for {account}.")
        if (answer := await self._ask(f"{server.user}@{server.host}'s password: ")) is not None:
            return Found(answer, "SSH_ASKPASS", "Start again to be asked again.")
        return None

    async def _look_up(self, account: str) -> str | None:
        if not self._credentials.keyring or not system_keyring.is_installed():
            return None
        try:
            secret = await system_keyring.find_patiently(account, seconds=ANSWER_SECONDS)
        except system_keyring.KeyringError as error:
            self._remark(error.message)
            return None
        if secret is not None:
            register_secret(secret)
        return secret

    async def _ask(self, prompt: str) -> str | None:
        askpass = self._credentials.askpass
        if askpass is None:
            return None
        try:
            answer = await askpass.ask(prompt, seconds=ANSWER_SECONDS)
        except ConfigurationError as error:
            self._remark(error.message)
            return None
        if answer is None:
            self._remark(f"SSH_ASKPASS ({askpass.program}) gave no answer to {prompt.strip()!r}")
            return None
        register_secret(answer)
        return answer

    def _remark(self, text: str) -> None:
        text = text.rstrip(".")
        if text not in self.remarks:
            self.remarks.append(text)
