"""Loads the key pairs to offer for public key authentication: agent and identity files, in OpenSSH's order."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.credentials import Credentials
from pybridge.transport.ssh_target import SshTarget

_WRONG_PASSPHRASE = ("Incorrect passphrase", "Unable to decrypt key", "Invalid PKCS#8 encrypted key data")
"""What asyncssh says where a wrong passphrase shows: OpenSSH, padded, and PKCS#8 keys."""


@dataclass
class Identities:
    """Key pairs in the order to offer them, and remarks on those that could not be used.

    `agent` must stay open until authentication is done.
    """

    pairs: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    agent: asyncssh.SSHAgentClient | None = None

    def close(self) -> None:
        """Let go of the agent."""
        if self.agent is not None:
            self.agent.close()
            self.agent = None


class IdentityLoader:
    """Reads a target's identity files once (a passphrase is slow to check), and asks the agent each time."""

    def __init__(self, target: SshTarget, credentials: Credentials) -> None:
        self._target = target
        self._credentials = credentials
        self._files: _Files | None = None

    async def load(self) -> Identities:
        """The key pairs for one connection: agent keys that are also named, other agent keys, then files."""
        if self._files is None:
            self._files = await asyncio.to_thread(_read_files, self._target, self._credentials)
        found = Identities(remarks=list(self._files.remarks))
        agent_pairs = await self._ask_agent(found)
        named = self._files.public_data
        first = [pair for pair in agent_pairs if pair.public_data in named]
        others = [pair for pair in agent_pairs if pair.public_data not in named]
        held = {pair.public_data for pair in agent_pairs}
        found.pairs = first + ([] if self._target.identities_only else others)
        found.pairs += [pair for pair in self._files.pairs if pair.public_data not in held]
        return found

    async def _ask_agent(self, found: Identities) -> list[asyncssh.SSHKeyPair]:
        if not self._target.agent_path:
            return []
        try:
            found.agent = asyncssh.SSHAgentClient(self._target.agent_path)
            await found.agent.connect()
            return list(await found.agent.get_keys())
        except (OSError, ValueError, asyncssh.Error):
            found.close()
            return []


@dataclass
class _Files:
    """What the identity files hold. `public_data` also has the keys whose private half only the agent has."""

    keys: list[asyncssh.SSHKey] = field(default_factory=list)
    certificates: list[asyncssh.SSHCertificate] = field(default_factory=list)
    public_data: set[bytes] = field(default_factory=set)
    remarks: list[str] = field(default_factory=list)
    pairs: list[asyncssh.SSHKeyPair] = field(default_factory=list)


def _read_files(target: SshTarget, credentials: Credentials) -> _Files:
    files = _Files()
    for path in target.identities:
        public = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
        with contextlib.suppress(OSError, ValueError):  # Not every private key has its public half beside it.
            files.public_data.add(asyncssh.read_public_key(public).public_data)
        if path.suffix != ".pub" and path.exists():
            _read_private_file(path, credentials, files)
    for path in target.certificates:
        _read_certificate(path, files)
    files.pairs = list(asyncssh.load_keypairs(files.keys, certlist=files.certificates)) if files.keys else []
    return files


def _read_private_file(path: Path, credentials: Credentials, files: _Files) -> None:
    try:
        key = _read_private_key(path, credentials.key_passphrase)
    except asyncssh.KeyEncryptionError as error:
        if str(error) in _WRONG_PASSPHRASE:
            files.remarks.append(f"{path}: REMOTE_KEY_PASSPHRASE does not open it")
        else:
            files.remarks.append(f"{path}: it cannot be decrypted here ({error}); load it into ssh-agent")
    except asyncssh.KeyImportError as error:
        if "passphrase" in str(error).lower():
            files.remarks.append(f"{path}: it is encrypted; set REMOTE_KEY_PASSPHRASE or load it into ssh-agent")
        else:
            files.remarks.append(f"{path}: {error}")
    except (OSError, ValueError) as error:
        files.remarks.append(f"{path}: {error}")
    else:
        files.keys.append(key)
        files.public_data.add(key.public_data)
        certificate = path.with_name(path.name + "-cert.pub")
        if certificate.exists():
            _read_certificate(certificate, files)


def _read_private_key(path: Path, passphrase: str | None) -> asyncssh.SSHKey:
    """Read a key file; a passphrase is only used where one is needed."""
    try:
        return asyncssh.read_private_key(path)
    except asyncssh.KeyImportError as error:
        if passphrase is None or "passphrase" not in str(error).lower():
            raise
    return asyncssh.read_private_key(path, passphrase)


def _read_certificate(path: Path, files: _Files) -> None:
    try:
        files.certificates.append(asyncssh.read_certificate(path))
    except (OSError, ValueError) as error:
        files.remarks.append(f"{path}: {error}")
