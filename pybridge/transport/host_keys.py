"""Verifies a server's host key as OpenSSH would (law 5), and chooses the host key algorithms to ask for.

StrictHostKeyChecking, as in ssh_config(5), of which no terminal is at hand:
- yes, ask: an unknown key is refused; the error shows its fingerprint and the command that accepts it.
- accept-new: an unknown key is added to the first UserKnownHostsFile; a changed one is refused.
- no: an unknown key is added; a changed one is let through, but never gets to see a password, nor an agent.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pybridge.errors import ConfigurationError, HostKeyChangedError, HostKeyError, HostKeyUnknownError
from pybridge.transport.algorithms import Algorithms, expand_algorithms
from pybridge.transport.asyncssh_quietly import asyncssh, public_key
from pybridge.transport.known_hosts import DEFAULT_PORT, KnownHost, add_known_host, find_known_hosts, known_hosts_name
from pybridge.transport.ssh_target import SshTarget


class HostKeyVerifier:
    """The verdict on one server's host key, for one connection.

    After the handshake `error` holds why the key was refused, if it was, and `changed_but_allowed` whether a changed
    key was let through by StrictHostKeyChecking=no.
    """

    def __init__(self, target: SshTarget) -> None:
        self._target = target
        self.error: HostKeyError | None = None
        self.changed_but_allowed = False
        self.name = (
            target.host_key_alias.lower() if target.host_key_alias else known_hosts_name(target.host, target.port)
        )
        self._files: Sequence[Path] = (*target.user_known_hosts, *target.global_known_hosts)
        self._entries = find_known_hosts(self._files, self.name)
        revoked = target.revoked_host_keys
        self._revoked_keys = _read_public_keys(revoked) if revoked is not None else []

    def algorithms(self) -> list[str]:
        """Host key algorithms to offer, those of the keys known_hosts has for the host first.

        Raises:
            ConfigurationError: HostKeyAlgorithms leaves none.
        """
        wanted = self._target.host_key_algorithms
        algorithms = expand_algorithms(
            wanted, _default_algorithms(), Algorithms.supported("HostKeyAlgorithms"), "HostKeyAlgorithms"
        )
        if wanted is not None and not wanted.startswith(("+", "-")):
            return algorithms  # As in OpenSSH: an order the user chose stays.
        known = {name.decode() for entry in self._trusted() for name in entry.key.sig_algorithms}
        if self._authorities():
            known |= {name for name in algorithms if "-cert-v0" in name}
        else:
            algorithms = [name for name in algorithms if "-cert-v0" not in name]
        return sorted(algorithms, key=lambda name: name not in known)  # A stable sort.

    def trusted(self, _host: str, _address: str, _port: int | None) -> tuple[list, list, list]:
        """Answers asyncssh: no key is trusted without `accept`; authorities and revoked keys as in the files."""
        revoked = [entry.key for entry in self._entries if entry.marker == "revoked"]
        return [], [entry.key for entry in self._authorities()], revoked + self._revoked_keys

    def accept(self, key: asyncssh.SSHKey) -> bool:
        """Whether the connection may go on with this key; keeps the reason in `error` if not."""
        self.error = self._judge(key)
        return self.error is None

    def refuse(self, reason: str) -> HostKeyError:
        """The error for a host key or certificate that asyncssh itself refused."""
        return self.error or (
            self._revoked(None)
            if "revoked" in reason
            else HostKeyChangedError(
                f"The host key of {self._target} could not be verified: {reason}.",
                next_step="Ask the administrator of the host what its host key or certificate should be.",
            )
        )

    def _trusted(self) -> list[KnownHost]:
        return [entry for entry in self._entries if entry.marker is None]

    def _authorities(self) -> list[KnownHost]:
        return [entry for entry in self._entries if entry.marker == "cert-authority"]

    def _judge(self, key: asyncssh.SSHKey) -> HostKeyError | None:
        if key in self._revoked_keys or any(e.marker == "revoked" and e.key == key for e in self._entries):
            return self._revoked(key)
        if any(entry.key == key for entry in self._trusted()):
            return None
        other = [entry for entry in self._trusted() if entry.key.algorithm == key.algorithm] or self._trusted()
        strictness = self._target.strict_host_key_checking
        if other and strictness == "no":
            self.changed_but_allowed = True
            return None
        if other:
            return self._changed(key, other[0])
        if self._known_without_port(key):
            return None
        if strictness in ("accept-new", "no"):
            return self._add(key)
        return self._unknown(key)

    def _known_without_port(self, key: asyncssh.SSHKey) -> bool:
        """As in OpenSSH: a key known for the host at port 22 is good for its other ports too."""
        if self._target.port == DEFAULT_PORT or self._target.host_key_alias:
            return False
        entries = find_known_hosts(self._files, self._target.host.lower())
        return any(entry.marker is None and entry.key == key for entry in entries)

    def _add(self, key: asyncssh.SSHKey) -> HostKeyError | None:
        files = self._target.user_known_hosts
        if not files:
            return None  # UserKnownHostsFile=none: there is nowhere to remember it, as in OpenSSH.
        try:
            add_known_host(files[0], self.name, key, hashed=self._target.hash_known_hosts)
        except OSError as error:
            if self._target.strict_host_key_checking == "no":
                return None
            return HostKeyUnknownError(
                f"The host key of {self._target} is new and could not be added to {files[0]}: {error.strerror}.",
                next_step=f"Make {files[0]} writable, or name another UserKnownHostsFile.",
            )
        return None

    def _unknown(self, key: asyncssh.SSHKey) -> HostKeyUnknownError:
        files = self._target.user_known_hosts
        return HostKeyUnknownError(
            f"The host key of {self._target} is not known: {describe_key(key)}.",
            next_step=(
                "Compare this fingerprint with the host's own. If it is right, accept it with:\n"
                f"  {self._accepting_command()}\n"
                f"It is looked for in {', '.join(map(str, files)) or 'no file (UserKnownHostsFile=none)'}. "
                "Or, simpler: add -o StrictHostKeyChecking=accept-new to REMOTE_SSH; new keys are then accepted."
            ),
        )

    def _accepting_command(self) -> str:
        target = self._target
        words = ["ssh", "-o", "StrictHostKeyChecking=accept-new"]
        if target.user_known_hosts:
            words += ["-o", f"'UserKnownHostsFile={target.user_known_hosts[0]}'"]
        if target.host_key_alias:
            words += ["-o", f"HostKeyAlias={target.host_key_alias}"]
        for path in target.named_identities:
            words += ["-i", f"'{path}'"]
        if target.jumps:
            words += ["-J", ",".join(f"{hop.user}@{hop.host}:{hop.port}" for hop in target.jumps)]
        return " ".join([*words, "-p", str(target.port), f"{target.user}@{target.host}", "true"])

    def _changed(self, key: asyncssh.SSHKey, known: KnownHost) -> HostKeyChangedError:
        return HostKeyChangedError(
            f"The host key of {self._target} is not the one that is known: it shows {describe_key(key)}, but "
            f"{known.path} line {known.line} has {describe_key(known.key)}. Someone may be impersonating the host, "
            "or it was installed anew. Nothing was sent to it.",
            next_step=f"If the change is right, remove the old key: ssh-keygen -R '{self.name}' -f '{known.path}'",
        )

    def _revoked(self, key: asyncssh.SSHKey | None) -> HostKeyChangedError:
        places = [f"{entry.path} line {entry.line}" for entry in self._entries if entry.marker == "revoked"]
        shown = f" ({describe_key(key)})" if key else ""
        return HostKeyChangedError(
            f"The host key of {self._target}{shown} is revoked in "
            f"{', '.join(places) or self._target.revoked_host_keys}. Nothing was sent to it.",
            next_step="Ask the administrator of the host for its new host key.",
        )


def describe_key(key: asyncssh.SSHKey) -> str:
    """Type and SHA256 fingerprint, as OpenSSH prints them."""
    return f"{key.algorithm.decode()} {key.get_fingerprint('sha256')}"


def _default_algorithms() -> list[str]:
    """What OpenSSH offers: signatures with SHA-1 (ssh-rsa, ssh-dss) only if asked for."""
    weak = ("ssh-rsa", "ssh-rsa-cert-v01@openssh.com")
    defaults = public_key.get_default_certificate_algs() + public_key.get_default_public_key_algs()
    strongest_first = ("ssh-ed25519", "ecdsa-sha2-nistp", "rsa-sha2-512", "rsa-sha2-256")
    names = [name.decode() for name in defaults if name.decode() not in weak and b"@ssh.com" not in name]
    order = {name: next((i for i, start in enumerate(strongest_first) if name.startswith(start)), 9) for name in names}
    return sorted(names, key=lambda name: ("-cert-v0" not in name, order[name]))


def _read_public_keys(path: Path) -> list[asyncssh.SSHKey]:
    """The keys of a RevokedHostKeys file in its text form. A file that cannot be read refuses, as in OpenSSH."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [asyncssh.import_public_key(line) for line in lines if line.strip() and not line.startswith("#")]
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The RevokedHostKeys file {path} cannot be read: {error}.",
            next_step="It must list public keys, one per line. Key revocation lists (KRL) are not supported.",
        ) from error
