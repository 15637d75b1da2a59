"""Verifies a server's host key as OpenSSH would (law 5), and chooses the host key algorithms to ask for.

StrictHostKeyChecking, as in ssh_config(5), of which no terminal is at hand:
- yes, ask: an unknown key is refused; the error shows its fingerprint and the commands that accept it.
- accept-new: an unknown key is added to the first UserKnownHostsFile; a changed or revoked one is refused.
- no, off: an unknown key is added; a changed one, or one a @revoked line names, is let through, but never gets to see
  a password, nor an agent. A key in RevokedHostKeys is always refused.

Not used: VerifyHostKeyDNS (without DNSSEC it may only add words to a question nobody is asked), UpdateHostKeys (keys
come to known_hosts by being accepted, never by being announced).
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import ipaddress
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pybridge.errors import HostKeyError
from pybridge.transport.algorithms import Algorithms, expand_algorithms
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.host_certificates import HostCertificate, read_host_key
from pybridge.transport.host_key_errors import changed_address, changed_key, revoked_key, short_key, unknown_key
from pybridge.transport.known_hosts import (
    DEFAULT_PORT,
    KnownHost,
    add_known_host,
    find_known_hosts,
    known_hosts_name,
    parse_known_hosts,
)
from pybridge.transport.known_hosts_command import KnownHostsCommand
from pybridge.transport.revoked_keys import RevokedKeys
from pybridge.transport.ssh_target import SshTarget


class Status(enum.Enum):
    """What known_hosts says of a key."""

    KNOWN = enum.auto()
    NEW = enum.auto()
    CHANGED = enum.auto()
    REVOKED = enum.auto()


class HostKeyVerifier:
    """The verdict on one server's host key, for one connection. Made by `prepare`.

    `name` is the host's name in known_hosts. After the handshake `key` is the key that was shown, `remark` why the
    certificate it was in does not count, if so, `error` why the key was refused, if it was, and `changed_but_allowed`
    whether a changed or revoked key was let through by StrictHostKeyChecking=no. One that `only_looks` lets every key
    be shown, and adds none.
    """

    def __init__(self, target: SshTarget, *, proxied: bool, only_looks: bool = False) -> None:
        self._target = replace(target, strict_host_key_checking="yes") if only_looks else target
        self.only_looks = only_looks
        self._proxied = proxied
        self._files: Sequence[Path] = (*target.user_known_hosts, *target.global_known_hosts)
        self._revoked = RevokedKeys.read(target.revoked_host_keys) if target.revoked_host_keys is not None else None
        self._command: KnownHostsCommand | None = None
        self._accepted: bytes | None = None
        self.remark: str | None = None
        self._for_order: list[KnownHost] = []
        self.name = (
            target.host_key_alias.lower() if target.host_key_alias else known_hosts_name(target.host, target.port)
        )
        self.key: asyncssh.SSHKey | None = None
        self.error: HostKeyError | None = None
        self.changed_but_allowed = False
        self.entries = find_known_hosts(self._files, self.name)

    @classmethod
    async def prepare(cls, target: SshTarget, *, proxied: bool = False, only_looks: bool = False) -> HostKeyVerifier:
        """Read what is known of a host.

        Args:
            proxied: whether the connection goes through a jump host or a ProxyCommand: its address says nothing then.
            only_looks: whether the key is only to be shown to a person.

        Raises:
            ConfigurationError: RevokedHostKeys cannot be read.
            HostKeyError: KnownHostsCommand failed.
        """
        verifier = cls(target, proxied=proxied, only_looks=only_looks)
        if target.known_hosts_command is not None:
            verifier._command = KnownHostsCommand(target.known_hosts_command, target.host, verifier.name)
            text = await asyncio.to_thread(verifier._command.run_before)
            lines = list(parse_known_hosts(text, verifier.name))
            verifier._for_order = lines
            verifier.entries += [] if verifier._command.wants_key else lines
        return verifier

    def algorithms(self) -> list[str]:
        """Host key algorithms to offer, those of the keys known_hosts has for the host first.

        Raises:
            ConfigurationError: HostKeyAlgorithms leaves none.
        """
        wanted = self._target.host_key_algorithms
        keyword = "HostKeyAlgorithms"
        algorithms = expand_algorithms(wanted, Algorithms.defaults(keyword), Algorithms.supported(keyword), keyword)
        if wanted is not None and not wanted.startswith(("+", "-")):
            return algorithms  # As in OpenSSH: an order the user chose stays.
        entries = [*self.entries, *self._for_order]
        known = {name.decode() for entry in entries if entry.marker is None for name in entry.key.sig_algorithms}
        if any(entry.marker == "cert-authority" for entry in entries) or self._may_have_authority_without_port():
            known |= {name for name in algorithms if "-cert-v0" in name}
        else:
            algorithms = [name for name in algorithms if "-cert-v0" not in name] or algorithms
        return sorted(algorithms, key=lambda name: name not in known)  # A stable sort.

    def accept(self, data: bytes, address: str | None) -> asyncssh.SSHKey:
        """The key of a server to go on with.

        Args:
            data: the key or certificate as it was sent.
            address: the server's IP address, if it is known.

        Raises:
            HostKeyNotVerifiable: it is refused; `error` says why.
        """
        try:
            key, certificate = read_host_key(data)
        except ValueError as error:
            self.error = HostKeyError(
                f"The host key of {self._target} cannot be read: {error}.",
                next_step="Choose another of its keys with -o HostKeyAlgorithms=... in REMOTE_SSH.",
            )
            raise asyncssh.HostKeyNotVerifiable(str(error)) from error
        self.key = key
        address = None if self._proxied else address
        if data != self._accepted:  # The same key again is a renewal of the session's keys.
            try:
                self.error = self._judge(key, certificate, address)
            except HostKeyError as error:
                self.error = error
        if self.error is not None and not self.only_looks:
            raise asyncssh.HostKeyNotVerifiable(self.error.message)
        self._accepted = data
        return key

    def _judge(
        self, key: asyncssh.SSHKey, certificate: HostCertificate | None, address: str | None
    ) -> HostKeyError | None:
        if (bits := _rsa_bits(key)) is not None and bits < self._target.required_rsa_bits:
            return short_key(self._target, key, bits)
        if self._revoked is not None and self._revoked.revokes(key, certificate):
            return revoked_key(self._target, key, [str(self._revoked.path)])
        if self._target.no_host_authentication_for_localhost and _is_loopback(address):
            return None
        if self._command is not None and self._command.wants_key:
            self.entries += parse_known_hosts(self._command.run_for(key), self.name)
        if certificate is not None:
            status = self._look_up_certificate(self.entries, certificate)
            if status is Status.KNOWN or (status is Status.NEW and self._known_without_port(key, certificate)):
                return None
            if status is Status.REVOKED:
                return self._unsafe(self._revoked_error(key))
        # As in OpenSSH: where the certificate does not count, the key in it may.
        status = _look_up(self.entries, key)
        if status is Status.REVOKED:
            return self._unsafe(self._revoked_error(key))
        if status is Status.CHANGED:
            known = [entry for entry in self.entries if entry.marker is None]
            return self._unsafe(changed_key(self._target, self.name, key, known))
        if status is Status.NEW:
            return None if self._known_without_port(key, None) else self._new(key, address)
        return self._check_address(key, address)

    def _look_up_certificate(self, entries: Sequence[KnownHost], certificate: HostCertificate) -> Status:
        authorities = [entry.key for entry in entries if entry.marker == "cert-authority"]
        revoked = [entry.key for entry in entries if entry.marker == "revoked"]
        if certificate.key in revoked or certificate.authority in revoked:
            return Status.REVOKED
        if certificate.authority not in authorities:
            self.remark = "no @cert-authority line of known_hosts has the authority that signed it"
            return Status.CHANGED if authorities else Status.NEW
        name = (self._target.host_key_alias or self._target.host).lower()
        allowed = expand_algorithms(
            self._target.ca_signature_algorithms,
            Algorithms.defaults("PubkeyAcceptedAlgorithms"),
            Algorithms.supported("HostKeyAlgorithms"),
            "CASignatureAlgorithms",
        )
        self.remark = certificate.fault(name, allowed)
        return Status.KNOWN if self.remark is None else Status.CHANGED

    def _may_have_authority_without_port(self) -> bool:
        if self._target.port == DEFAULT_PORT or self._target.host_key_alias:
            return False
        found = find_known_hosts(self._files, self._target.host.lower())
        return any(entry.marker == "cert-authority" for entry in found)

    def _known_without_port(self, key: asyncssh.SSHKey, certificate: HostCertificate | None) -> bool:
        """As in OpenSSH: what is known for the host at port 22 is good for its other ports too."""
        if self._target.port == DEFAULT_PORT or self._target.host_key_alias:
            return False
        entries = find_known_hosts(self._files, self._target.host.lower())
        status = _look_up(entries, key) if certificate is None else self._look_up_certificate(entries, certificate)
        return status is Status.KNOWN

    def _new(self, key: asyncssh.SSHKey, address: str | None) -> HostKeyError | None:
        files = self._target.user_known_hosts
        if not files or self._target.strict_host_key_checking not in ("accept-new", "no"):
            return unknown_key(self._target, key, self.remark)
        self._add(self.name, key)
        if (name := self._address_name(address)) and not find_known_hosts(self._files, name):
            self._add(name, key)
        return None

    def _add(self, name: str, key: asyncssh.SSHKey) -> None:
        """Remember a key. As in OpenSSH, a file that cannot be written is no reason not to connect."""
        with contextlib.suppress(OSError):
            add_known_host(self._target.user_known_hosts[0], name, key, hashed=self._target.hash_known_hosts)

    def _check_address(self, key: asyncssh.SSHKey, address: str | None) -> HostKeyError | None:
        """CheckHostIP: the key must not be another one than is known for the server's address."""
        name = self._address_name(address)
        if name is None:
            return None
        entries = find_known_hosts(self._files, name)
        status = _look_up(entries, key)
        if status is Status.NEW and self._target.user_known_hosts and not self.only_looks:
            self._add(name, key)
        if status is Status.CHANGED and self._target.strict_host_key_checking != "no":
            return changed_address(self._target, name, key, [entry for entry in entries if entry.marker is None])
        return None

    def _address_name(self, address: str | None) -> str | None:
        """The address's name in known_hosts, None where CheckHostIP is off or has nothing to compare."""
        target = self._target
        if not target.check_host_ip or not address or address == target.host or _is_loopback(address):
            return None
        return known_hosts_name(address, target.port)

    def _unsafe(self, error: HostKeyError) -> HostKeyError | None:
        """Let a changed or revoked key pass where the user has switched the checking off."""
        self.changed_but_allowed = self._target.strict_host_key_checking == "no"
        return None if self.changed_but_allowed else error

    def _revoked_error(self, key: asyncssh.SSHKey) -> HostKeyError:
        places = [entry.place for entry in self.entries if entry.marker == "revoked"]
        return revoked_key(self._target, key, places)


def _look_up(entries: Sequence[KnownHost], key: asyncssh.SSHKey) -> Status:
    if any(entry.key == key for entry in entries if entry.marker == "revoked"):
        return Status.REVOKED
    known = [entry.key for entry in entries if entry.marker is None]
    if key in known:
        return Status.KNOWN
    return Status.CHANGED if known else Status.NEW


def _rsa_bits(key: asyncssh.SSHKey) -> int | None:
    """The size of an RSA key in bits, None for keys of other types."""
    return getattr(key.pyca_key, "key_size", None) if key.algorithm == b"ssh-rsa" else None


def _is_loopback(address: str | None) -> bool:
    try:
        return address is not None and ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
