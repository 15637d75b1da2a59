"""What may prove who the user is, and where it may be asked for. In memory only, and in no text (law 6)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pybridge.settings import Settings
from pybridge.transport.askpass import Askpass, find_askpass


@dataclass(frozen=True)
class Credentials:
    """Secrets for a connection, not shown by repr, and where to look for those that are not given.

    `password` is the target's, `key_passphrase` that of encrypted identity files, `password_command` a local command
    that prints the password, `keyring` whether the system's keyring is looked into, `askpass` a program that asks.
    """

    password: str | None = field(default=None, repr=False)
    key_passphrase: str | None = field(default=None, repr=False)
    password_command: str | None = None
    keyring: bool = False
    askpass: Askpass | None = None

    @property
    def has_secrets(self) -> bool:
        """Whether something is given here that need not be looked for."""
        return any(value is not None for value in (self.password, self.key_passphrase, self.password_command))

    @classmethod
    def of(cls, settings: Settings) -> Credentials:
        """What the settings and this process's environment (SSH_ASKPASS) offer. Nothing is asked or run yet."""
        return cls(
            password=settings.password.reveal() if settings.password else None,
            key_passphrase=settings.key_passphrase.reveal() if settings.key_passphrase else None,
            password_command=settings.password_command,
            keyring=True,
            askpass=find_askpass(),
        )
