"""Private key files: what they show without a passphrase, and opening those that need one, each at most once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.secret_sources import SecretSources

_WRONG_PASSPHRASE = ("Incorrect passphrase", "Unable to decrypt key", "Invalid PKCS#8 encrypted key data")
"""What asyncssh says where a wrong passphrase shows: OpenSSH, padded, and PKCS#8 keys."""

_HARDWARE = "its key is in a security key; set REMOTE_TRANSPORT=openssh, or load it into ssh-agent"


class KeyUnusableError(ValueError):
    """A key file cannot be used. asyncssh takes a ValueError while signing as a reason to go on to the next key."""


@dataclass
class KeyFile:
    """One identity file.

    `public` is its public half, None if that does not show; `private` the key itself where it needs no passphrase.
    """

    path: Path
    public: asyncssh.SSHKey | None = None
    private: asyncssh.SSHKey | None = None


class KeyOpener:
    """Opens encrypted key files with what the sources have; remembers each key, or that it cannot be opened.

    Args:
        sources: of passphrases.
    """

    def __init__(self, sources: SecretSources) -> None:
        self._sources = sources
        self._opened: dict[Path, asyncio.Task[asyncssh.SSHKey | str]] = {}

    async def open(self, file: KeyFile) -> asyncssh.SSHKey:
        """The private key.

        Raises:
            KeyUnusableError: with what is wrong with the file.
        """
        if file.private is not None:
            return file.private
        task = self._opened.get(file.path)
        if task is None:
            task = self._opened[file.path] = asyncio.create_task(self._try_passphrases(file.path))
        key = await asyncio.shield(task)  # The answer counts even if this connection does not live to see it.
        if isinstance(key, str):
            raise KeyUnusableError(key)
        if file.public is not None and file.public.public_data != key.public_data:
            raise KeyUnusableError(f"{file.path}: {file.path}.pub is of another key; remove it")
        return key

    async def close(self) -> None:
        """Give up what is still being asked."""
        for task in self._opened.values():
            task.cancel()
        await asyncio.gather(*self._opened.values(), return_exceptions=True)

    async def _try_passphrases(self, path: Path) -> asyncssh.SSHKey | str:
        """The key, or what is wrong."""
        tried: list[str] = []
        async with contextlib.aclosing(self._sources.passphrases(path)) as passphrases:
            async for found in passphrases:
                try:
                    return await asyncio.to_thread(asyncssh.read_private_key, path, found.value)
                except (ValueError, OSError) as error:
                    if not _is_wrong_passphrase(error):
                        return f"{path}: it cannot be decrypted here ({error}); load it into ssh-agent"
                if found.origin not in tried:
                    tried.append(found.origin)
        if not tried:
            return f"{path}: it is encrypted; set REMOTE_KEY_PASSPHRASE or load it into ssh-agent"
        return f"{path}: {' and '.join(tried)} {'do' if len(tried) > 1 else 'does'} not open it"


def read_key_file(path: Path) -> KeyFile:
    """Read what shows without a passphrase.

    Raises:
        KeyUnusableError: the file cannot be read, is no key, is in a security key, or may be read by others.
    """
    _refuse_if_open_to_others(path)
    file = KeyFile(path)
    with contextlib.suppress(OSError, ValueError):  # Not every private key has its public half beside it.
        file.public = asyncssh.read_public_key(path.with_name(path.name + ".pub"))
    try:
        file.private = asyncssh.read_private_key(path)
        file.public = file.private.convert_to_public()
    except asyncssh.KeyImportError as error:
        if "passphrase" not in str(error).lower():
            raise KeyUnusableError(f"{path}: {error}") from error
        with contextlib.suppress(OSError, ValueError):  # OpenSSH's own format has the public half in clear.
            file.public = asyncssh.read_public_key(path)
    except (OSError, ValueError) as error:
        raise KeyUnusableError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if file.public is not None and file.public.algorithm.startswith((b"sk-", b"webauthn-")):
        raise KeyUnusableError(f"{path}: {_HARDWARE}")
    return file


class FileKeyPair(asyncssh.SSHKeyPair):
    """A key pair whose private half is asked for when there is something to sign.

    Args:
        public: the public half.
        open_key: gives the private key; raises KeyUnusableError.
        certificate: offered in the place of the public key.
        is_open: `open_key` asks nobody and cannot fail.
    """

    _key_type = "local"

    def __init__(
        self,
        public: asyncssh.SSHKey,
        open_key: Callable[[], Awaitable[asyncssh.SSHKey]],
        certificate: asyncssh.SSHCertificate | None = None,
        *,
        is_open: bool = False,
    ) -> None:
        algorithms = public.sig_algorithms
        super().__init__(
            public.algorithm, public.algorithm, algorithms, algorithms, public.public_data, None, certificate
        )
        self._open_key = open_key
        self.is_open = is_open

    async def sign_async(self, data: bytes) -> bytes:
        """The signature, made in a thread where that may take its time."""
        key = await self._open_key()
        return await asyncio.to_thread(key.sign, data, self.sig_algorithm)


def _is_wrong_passphrase(error: Exception) -> bool:
    text = str(error)
    # For the old PEM format asyncssh has one message for all; the cipher is one it knows, or it would say so.
    return text in _WRONG_PASSPHRASE or text.startswith(("Unable to decrypt PKCS", "Invalid PEM private key"))


def _refuse_if_open_to_others(path: Path) -> None:
    """As OpenSSH does with a key that others may read."""
    try:
        found = path.stat()
    except OSError as error:
        raise KeyUnusableError(f"{path}: {error.strerror}") from error
    mode = stat.S_IMODE(found.st_mode)
    if os.name == "posix" and found.st_uid == os.getuid() and mode & 0o077:
        raise KeyUnusableError(f"{path}: others may read it (its mode is {mode:04o}); run: chmod 600 {path}")
