"""Answers asyncssh's questions while one connection is made: host key, password, keyboard-interactive prompts."""

from __future__ import annotations

from collections.abc import Sequence

from pybridge.transport.asyncssh_quietly import asyncssh, constants
from pybridge.transport.credentials import Credentials
from pybridge.transport.host_keys import HostKeyVerifier

_ONE_TIME = ("one-time", "one time", "otp", "verification", "token", "code", "duo", "authenticator")


class HostKeyShown(asyncssh.DisconnectError):
    """Ends a connection that was made only to see the host key, before anything is authenticated."""

    def __init__(self) -> None:
        super().__init__(constants.DISC_BY_APPLICATION, "only the host key was asked for")


class Client(asyncssh.SSHClient):
    """The client's side of one handshake. A password is given out at most once: accounts lock (law of the pool).

    After the attempt, `methods` are the authentication methods the server offered, `password_sent` whether it has seen
    the password, and `authenticated` whether it let us in.
    """

    def __init__(self, credentials: Credentials, verifier: HostKeyVerifier) -> None:
        self._credentials = credentials
        self._verifier = verifier
        self._asked_interactive = False
        self.connection: asyncssh.SSHClientConnection | None = None
        self.methods: list[str] = []
        self.prompts: list[str] = []
        self.password_sent = False
        self.authenticating = False
        self.authenticated = False

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self.connection = conn
        # asyncssh's own verification knows neither the rules nor the files; without this it trusts no key at all.
        conn.validate_server_host_key = self._verify_host_key

    def _verify_host_key(self, key_data: bytes) -> asyncssh.SSHKey:
        peer = self.connection.get_extra_info("peername") if self.connection is not None else None
        return self._verifier.accept(key_data, peer[0] if isinstance(peer, tuple) else None)

    def begin_auth(self, username: str) -> None:
        if self._verifier.only_looks:
            raise HostKeyShown
        self.authenticating = True

    def auth_completed(self) -> None:
        self.authenticated = True

    def public_key_auth_requested(self) -> None:
        self._note_methods()

    def password_auth_requested(self) -> str | None:
        self._note_methods()
        return self._take_password()

    def password_change_requested(self, prompt: str, lang: str) -> tuple[str, str]:
        self.prompts.append("the password has expired and must be changed")
        raise asyncssh.PermissionDenied("Password change required")

    def kbdint_auth_requested(self) -> str | None:
        self._note_methods()
        if self._asked_interactive or self.password_sent or not self._may_send_password():
            return None
        self._asked_interactive = True
        return ""

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        if not prompts:
            return []  # A message only.
        self.prompts += [text.strip() for text, _ in prompts]
        text, echo = prompts[0]
        if len(prompts) > 1 or echo or any(word in text.lower() for word in _ONE_TIME):
            return None
        password = self._take_password()
        return None if password is None else [password]

    def _may_send_password(self) -> bool:
        # A host whose key changed is never shown a password, whatever StrictHostKeyChecking says.
        return self._credentials.password is not None and not self._verifier.changed_but_allowed

    def _take_password(self) -> str | None:
        if self.password_sent or not self._may_send_password():
            return None
        self.password_sent = True
        return self._credentials.password

    def _note_methods(self) -> None:
        if self.connection is not None:
            self.methods += [m for m in self.connection.get_server_auth_methods() if m not in self.methods]
