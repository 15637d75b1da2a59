"""Host certificates. Format: PROTOCOL.certkeys of OpenSSH; rules: ssh-keygen(1), CERTIFICATES, and ssh_config(5)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from pybridge.transport.asyncssh_quietly import asyncssh, public_key


@dataclass(frozen=True)
class HostCertificate:
    """What a certificate says of the host key in it, and the authority that signed it.

    The signature itself is verified while it is read. Times are in seconds since 1970.
    """

    key: asyncssh.SSHKey
    authority: asyncssh.SSHKey
    signature_algorithm: str
    is_for_hosts: bool
    serial: int
    key_id: str
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int

    def fault(self, name: str, signature_algorithms: Sequence[str]) -> str | None:
        """Why it does not prove the key of a host, None if it does.

        Args:
            name: the host's name, or its HostKeyAlias, in lower case.
            signature_algorithms: what authorities may sign with (CASignatureAlgorithms).
        """
        now = time.time()
        if not self.is_for_hosts:
            return "it is a certificate for users, not for hosts"
        if now < self.valid_after:
            return f"it is valid only from {_date(self.valid_after)}"
        if now >= self.valid_before:
            return f"it has expired on {_date(self.valid_before)}"
        if self.principals and name not in self.principals:
            return f"it is for {', '.join(self.principals)}, not for {name}"
        if self.signature_algorithm not in signature_algorithms:
            return f"it is signed with {self.signature_algorithm}, which is not in CASignatureAlgorithms"
        return None


def read_host_key(data: bytes) -> tuple[asyncssh.SSHKey, HostCertificate | None]:
    """The host key a server has sent, and the certificate it was in, if it was.

    Raises:
        ValueError: it is neither a key nor a certificate of a kind that is known here.
    """
    try:
        certificate = public_key.decode_ssh_certificate(data)
    except asyncssh.KeyImportError:
        return public_key.decode_ssh_public_key(data), None
    if not isinstance(certificate, public_key.SSHOpenSSHCertificate):
        raise ValueError("X.509 certificates are not supported")
    # asyncssh parses these but has no public names for them.
    return certificate.key, HostCertificate(
        key=certificate.key,
        authority=certificate.signing_key,
        signature_algorithm=_signature_algorithm(data, certificate.signing_key.public_data),
        is_for_hosts=certificate._cert_type == public_key.CERT_TYPE_HOST,
        serial=certificate._serial,
        key_id=certificate._key_id,
        principals=tuple(certificate.principals),
        valid_after=certificate._valid_after,
        valid_before=certificate._valid_before,
    )


def _signature_algorithm(data: bytes, authority: bytes) -> str:
    """The certificate ends with the authority's key and the signature, whose first string is its algorithm."""
    signature = data[data.rindex(authority) + len(authority) :]
    length = int.from_bytes(signature[4:8], "big")
    return signature[8 : 8 + length].decode("ascii", "replace")


def _date(moment: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment)) if moment < 1 << 40 else "the end of time"
