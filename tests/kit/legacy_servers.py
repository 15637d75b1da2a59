"""Servers with the algorithms of long ago only, and the options OpenSSH's own client needs to reach each.

They are today's sshd with its configuration narrowed down, so the negotiation is real; what such a server lacks besides
(SFTP, bash, newer tools) is the business of whoever starts it. One thing cannot be narrowed: sshd tells clients that it
takes RSA signatures with SHA-2, so they use these for their own keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.kit.counterparts import need
from tests.kit.sshd import SshServer, call, make_key, start_dropbear, start_openssh


@dataclass(frozen=True)
class LegacyConfiguration:
    """One kind of old server.

    `server` are lines of sshd_config, `client` the words OpenSSH's client needs before the host, in the order in which
    an SSH handshake comes to them. `host_key` and `user_key` are types of keys for ssh-keygen.
    """

    name: str
    server: tuple[str, ...]
    client: tuple[str, ...]
    host_key: str = "rsa"
    user_key: str = "rsa"


SSH_5_3 = LegacyConfiguration(
    "openssh-5.3",
    (
        "KexAlgorithms diffie-hellman-group1-sha1",
        "HostKeyAlgorithms ssh-rsa",
        "Ciphers aes128-cbc",
        "MACs hmac-sha1",
        "PubkeyAcceptedAlgorithms +ssh-rsa",
    ),
    (
        "-oKexAlgorithms=+diffie-hellman-group1-sha1",
        "-oHostKeyAlgorithms=+ssh-rsa",
        "-oCiphers=+aes128-cbc",
        "-oMACs=+hmac-sha1",
        "-oPubkeyAcceptedAlgorithms=+ssh-rsa",
    ),
)
"""The narrowest server of OpenSSH 5.3's class: one old algorithm of each kind, RSA keys."""

TRIPLE_DES = LegacyConfiguration(
    "3des-md5",
    (
        "KexAlgorithms diffie-hellman-group-exchange-sha1",
        "HostKeyAlgorithms ssh-rsa",
        "Ciphers 3des-cbc",
        "MACs hmac-md5",
        "PubkeyAcceptedAlgorithms +ssh-rsa",
    ),
    (
        "-oKexAlgorithms=+diffie-hellman-group-exchange-sha1",
        "-oHostKeyAlgorithms=+ssh-rsa",
        "-oCiphers=+3des-cbc",
        "-oMACs=+hmac-md5",
        "-oPubkeyAcceptedAlgorithms=+ssh-rsa",
    ),
)
"""What routers and appliances have: 3des-cbc, hmac-md5, a group exchange with SHA-1."""

DSS = LegacyConfiguration(
    "dss",
    ("KexAlgorithms diffie-hellman-group14-sha1", "HostKeyAlgorithms ssh-dss", "PubkeyAcceptedAlgorithms ssh-dss"),
    (
        "-oKexAlgorithms=+diffie-hellman-group14-sha1",
        "-oHostKeyAlgorithms=+ssh-dss",
        "-oPubkeyAcceptedAlgorithms=+ssh-dss",
    ),
    host_key="dsa",
    user_key="dsa",
)
"""DSA keys (1024 bits, SHA-1), which OpenSSH 9 still has and OpenSSH 10 does not."""

LEGACY_CONFIGURATIONS = (SSH_5_3, TRIPLE_DES, DSS)


def start_legacy(
    folder: Path, configuration: LegacyConfiguration = SSH_5_3, extra: Sequence[str] = (), home: Path | None = None
) -> SshServer:
    """Start sshd with one of the configurations; its user key is of the type the configuration names.

    Args:
        folder: a folder for its files.
        extra: further lines of sshd_config.
        home: as for `start_openssh`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in (
        (f"host_{configuration.host_key}", configuration.host_key),
        ("user_key", configuration.user_key),
    ):
        if not (folder / name).exists():
            make_key(folder / name, kind, bits=2048 if kind == "rsa" else 0)
    lines = [*configuration.server, *extra]
    if configuration.host_key not in ("ed25519", "rsa", "ecdsa"):
        lines.append(f"HostKey {folder / f'host_{configuration.host_key}'}")
    return start_openssh(folder, lines, home=home)


def start_dss_dropbear(folder: Path) -> SshServer:
    """Start dropbear with a DSA host key only, as on boxes set up long ago.

    dropbear 2022.83 offers RSA all the same, and ends where a client prefers that: so it takes
    `-oHostKeyAlgorithms=ssh-dss`, without the `+`, to reach it, by OpenSSH and by us.

    Args:
        folder: an empty folder for its files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "dropbear_dss"
    call(need("dropbearkey"), "-t", "dss", "-f", str(key))
    shown = call(need("dropbearkey"), "-y", "-f", str(key)).splitlines()
    (folder / "host_dss.pub").write_text(next(line for line in shown if line.startswith("ssh-dss ")) + "\n")
    return start_dropbear(folder, ["-r", str(key)], host_keys=())


def legacy_command(server: SshServer, configuration: LegacyConfiguration = SSH_5_3, *extra: str) -> str:
    """A value for REMOTE_SSH that reaches such a server: the options OpenSSH needs, and no others."""
    return server.ssh_command_with(*configuration.client, *extra)
