"""Answers asyncssh's questions while one connection is made: host key, password, keyboard-interactive prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from pybridge.transport.asyncssh_quietly import asyncssh, constants
from pybridge.transport.early_login import EarlyLogin
from pybridge.transport.host_keys import HostKeyVerifier
from pybridge.transport.login import Login
from pybridge.transport.rsa_certificates import name_for_server


class HostKeyShown(asyncssh.DisconnectError):
    """Ends a connection that was made only to see the host key, before anything is authenticated."""

    def __init__(self) -> None:
        super().__init__(constants.DISC_BY_APPLICATION, "only the host key was asked for")


class Client(asyncssh.SSHClient):
    """The client's side of one handshake. What it says to prove who the user is, `login` knows.

    After the attempt, `authenticated` is whether the server let us in. `version_is_sent` is to be set before it where
    the server has been told the version already.

    Args:
        login: knows what to say.
        verifier: of the host key.
        one_by_one: say nothing before it is asked for.
    """

    def __init__(self, login: Login, verifier: HostKeyVerifier, *, one_by_one: bool = False) -> None:
        self.verifier = verifier
        self._one_by_one = one_by_one or verifier.only_looks
        self._early: EarlyLogin | None = None
        self.login = login
        self.connection: asyncssh.SSHClientConnection | None = None
        self.authenticating = False
        self.authenticated = False
        self.version_is_sent = False

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self.connection = conn
        if self.version_is_sent:
            _leave_out_version(conn)
        # asyncssh's own verification knows neither the rules nor the files; without this it trusts no key at all.
        conn.validate_server_host_key = self._verify_host_key
        if not self._one_by_one:
            self._early = EarlyLogin(conn, self._first_key, self.login.take_key_back)

    def _verify_host_key(self, key_data: bytes) -> asyncssh.SSHKey:
        peer = self.connection.get_extra_info("peername") if self.connection is not None else None
        return self.verifier.accept(key_data, peer[0] if isinstance(peer, tuple) else None)

    def begin_auth(self, username: str) -> None:
        if self.verifier.only_looks:
            raise HostKeyShown
        self.authenticating = True

    def auth_completed(self) -> None:
        self.authenticated = True

    async def public_key_auth_requested(self) -> list[asyncssh.SSHKeyPair] | None:  # type: ignore[override]
        await self._note_methods()
        pair = self._named(await self.login.next_key())
        if pair is None:
            return None
        if self._early is not None:
            self._early.offers(pair)
        return [pair]

    async def password_auth_requested(self) -> str | None:
        await self._note_methods()
        return await self.login.answer_password()

    def password_change_requested(self, prompt: str, lang: str) -> tuple[str, str]:
        self.login.prompts.append("the password has expired and must be changed")
        raise asyncssh.PermissionDenied("Password change required")

    async def kbdint_auth_requested(self) -> str | None:  # type: ignore[override]
        await self._note_methods()
        return "" if self.login.start_interactive() else None

    async def kbdint_challenge_received(  # type: ignore[override]
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        return await self.login.answer_prompts(prompts)

    @property
    def unanswered(self) -> bool:
        """Whether the server has left something unanswered that it was told before it had asked."""
        return self._early is not None and not self.authenticated and self._early.unanswered

    async def _first_key(self) -> asyncssh.SSHKeyPair | None:
        return self._named(await self.login.sure_key())

    def _named(self, pair: asyncssh.SSHKeyPair | None) -> asyncssh.SSHKeyPair | None:
        if pair is not None and self.connection is not None:
            name_for_server(pair, str(self.connection.get_extra_info("server_version")))
        return pair

    async def _note_methods(self) -> None:
        if self._early is not None:
            await self._early.settled()
        # A host whose key changed is never shown a password, whatever StrictHostKeyChecking says.
        self.login.may_send_password = not self.verifier.changed_but_allowed
        if self.connection is not None:
            self.login.note_methods(self.connection.get_server_auth_methods())


def _leave_out_version(connection: asyncssh.SSHClientConnection) -> None:
    """Keep the first thing that asyncssh sends, its version, from being sent."""
    own: Any = cast(Any, connection)
    send = own._send

    def leave_out(data: bytes) -> None:
        own._send = send

    own._send = leave_out
