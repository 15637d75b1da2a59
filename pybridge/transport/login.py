"""What is said while one connection authenticates: which key, which password, which answer; and what came of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.identities import Identities, Patience
from pybridge.transport.secret_sources import Found, SecretSources
from pybridge.transport.ssh_target import SshTarget

_ONE_TIME = re.compile(
    r"one[- ]?time|verification|authenticat(or|ion code)|\b(t|h)?otp\b|\b(token|code|passcode|duo|pin)\b|yubikey",
    re.IGNORECASE,
)
_NAMES = re.compile(r"\S+@\S+")


class Login:
    """The client's side of one authentication. A password that was refused is not given out again: accounts lock.

    Afterwards `methods` are those the server has offered, `prompts` what it asked, `unanswered` those of them that
    only a person can answer, `password` the one it was sent, `key_accepted` whether a key was good, but not enough.

    Args:
        server: to which we log in.
        sources: of passwords, shared by all connections.
        identities: the keys.
        is_jump_host: whether the server is only on the way.
        patience: entered while a person may be asked.
        unattended: send no password, and begin nothing that may ask a person.
    """

    def __init__(
        self,
        server: SshTarget,
        sources: SecretSources,
        identities: Identities,
        *,
        is_jump_host: bool,
        patience: Patience,
        unattended: bool = False,
    ) -> None:
        self.server = server
        self._patience = patience
        self._unattended = unattended
        self._asked_among: Collection[str] | None = None
        self._sent_among: Collection[str] = ()
        self._answered = ""
        self._offering_key = False
        self.sources = sources
        self.identities = identities
        self.is_jump_host = is_jump_host
        self.may_send_password = True
        self.methods: list[str] = []
        self.prompts: list[str] = []
        self.unanswered: list[str] = []
        self.password: Found | None = None
        self.key_accepted = False

    def note_methods(self, offered: Sequence[str]) -> None:
        """The server has said with which methods it would go on."""
        self.methods += [method for method in offered if method not in self.methods]

    async def next_key(self) -> asyncssh.SSHKeyPair | None:
        """The next key to offer, None after the last."""
        pair = await self.identities.next()
        self._offering_key = pair is not None
        return pair

    @property
    def accepted_key(self) -> bytes | None:
        """The public half of the key that the server took, once it has let us in."""
        taken = self.key_accepted or self._offering_key
        return self.identities.pairs[-1].public_data if taken and self.identities.pairs else None

    @property
    def needs_a_person(self) -> bool:
        """Whether there was more to it than a key: a password, or questions, which may reach a person's phone."""
        return self.password is not None or self._asked_among is not None

    async def sure_key(self) -> asyncssh.SSHKeyPair | None:
        """The first key, if it is to be signed for whatever the server says; it is offered by that."""
        if not self.server.authentication_methods or self.server.authentication_methods[0] != "publickey":
            return None
        pair = await self.identities.next_if_sure()
        self._offering_key = pair is not None
        return pair

    def take_key_back(self) -> None:
        """The last key was offered where none was asked for: it is still to be offered."""
        self.identities.take_back()
        self._offering_key = False

    async def answer_password(self) -> str | None:
        """The password for the method `password`; None where there is none, or it was sent before."""
        self._leave_keys()
        return await self._take_password("password")

    def start_interactive(self) -> bool:
        """Whether to begin with the method `keyboard-interactive`: what it asks shows only then."""
        self._leave_keys()
        method = "keyboard-interactive"
        if self._unattended or not self.may_send_password or not self._is_new(method, self._asked_among):
            return False
        if self.password is not None and not self._is_new(method, self._sent_among):
            return False
        self._asked_among = tuple(self.methods)
        return True

    async def answer_prompts(self, prompts: Sequence[tuple[str, bool]]) -> list[str] | None:
        """The answers to one challenge, None if it asks for more than a password."""
        if not prompts:
            return []  # A message only.
        texts = [text.strip() for text, _ in prompts]
        self.prompts += [text for text in texts if text not in self.prompts]
        if len(prompts) > 1 or prompts[0][1] or is_one_time(texts[0]):
            self.unanswered += texts
            return None
        password = await self._take_password("keyboard-interactive")
        if password is not None:
            self._answered = texts[0]
            return [password]
        if self.password is not None and texts[0] != self._answered:
            self.unanswered += texts  # Such as a new password, in the place of one that has expired.
        return None

    async def _take_password(self, method: str) -> str | None:
        if self._unattended or not self.may_send_password:
            return None
        if self.password is not None and not self._is_new(method, self._sent_among):
            return None
        async with self._patience(f"waiting for the password of {self.server}"):
            found = await self.sources.password(self.server, is_jump_host=self.is_jump_host)
        if found is None:
            return None
        self.password = found
        self._sent_among = tuple(self.methods)
        return found.value

    @staticmethod
    def _is_new(method: str, earlier: Collection[str] | None) -> bool:
        """Whether a method was not offered before. A server offers further ones only once it has accepted a step."""
        return earlier is None or method not in earlier

    def _leave_keys(self) -> None:
        if self._offering_key:  # The server has not asked for a further key: the last was good.
            self.key_accepted = True


def is_one_time(prompt: str) -> bool:
    """Whether a prompt asks for a code that is good only once, rather than for a password."""
    return _ONE_TIME.search(_NAMES.sub("", prompt)) is not None
