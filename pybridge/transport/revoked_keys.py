"""RevokedHostKeys: keys and certificates that are never accepted. Format: ssh-keygen(1), KEY REVOCATION LISTS."""

from __future__ import annotations

from pathlib import Path

from pybridge.errors import ConfigurationError
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.host_certificates import HostCertificate
from pybridge.transport.krl import MAGIC, KeyRevocationList, KrlError


class RevokedKeys:
    """The content of one file: public keys, one to a line, or a binary key revocation list (KRL)."""

    def __init__(self, path: Path, revoked: KeyRevocationList) -> None:
        self.path = path
        self._revoked = revoked

    @classmethod
    def read(cls, path: Path) -> RevokedKeys:
        """Read a file.

        Raises:
            ConfigurationError: it cannot be read, or not all of it is understood. As in OpenSSH, nothing is connected
                to then: what is not known could be the revocation that matters.
        """
        try:
            data = path.read_bytes()
            revoked = KeyRevocationList.parse(data) if data.startswith(MAGIC) else _parse_text(data)
        except KrlError as error:
            raise ConfigurationError(
                f"The RevokedHostKeys file {path} cannot be used: {error}.",
                next_step="Make it anew with ssh-keygen -k, or let OpenSSH judge it: set REMOTE_TRANSPORT=openssh.",
            ) from error
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"The RevokedHostKeys file {path} cannot be read: {error}.",
                next_step="It must list public keys, one per line, or be a key revocation list of ssh-keygen -k.",
            ) from error
        return cls(path, revoked)

    def revokes(self, key: asyncssh.SSHKey, certificate: HostCertificate | None = None) -> bool:
        """Whether a host key is revoked, or the certificate it is shown with, or the authority of that."""
        if self._revoked.revokes_key(key.public_data):
            return True
        if certificate is None:
            return False
        authority = certificate.authority.public_data
        return self._revoked.revokes_key(authority) or self._revoked.revokes_certificate(
            authority, certificate.serial, certificate.key_id.encode()
        )


def _parse_text(data: bytes) -> KeyRevocationList:
    lines = (line.strip() for line in data.decode("utf-8").splitlines())
    keys = {asyncssh.import_public_key(line).public_data for line in lines if line and not line.startswith("#")}
    return KeyRevocationList(keys=keys)
