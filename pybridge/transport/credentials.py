"""What may prove who the user is. In memory only, and in no text (law 6)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """Secrets for a connection: a password, and a passphrase for encrypted identity files. Not shown by repr."""

    password: str | None = field(default=None, repr=False)
    key_passphrase: str | None = field(default=None, repr=False)
