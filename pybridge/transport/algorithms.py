"""The algorithms to offer to a server: the target's lists applied to what this library has.

The defaults are those of OpenSSH 9, so that what it needs options for needs the same options here; the order of the
ciphers is our own. They are short on purpose: dropbear before 2020 reads no more than 20 names of a list, and refuses
one of more than 1300 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pybridge.errors import ConfigurationError
from pybridge.transport.asyncssh_quietly import encryption, kex, mac, public_key
from pybridge.transport.ssh_config import match_pattern

_OPENSSH = "@openssh.com"
_CERTIFICATE = "-cert-v01@openssh.com"
_SIGNATURES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
_DEFAULTS = {
    "KexAlgorithms": (
        "mlkem768x25519-sha256",
        "sntrup761x25519-sha512",
        "sntrup761x25519-sha512@openssh.com",
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group-exchange-sha256",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group18-sha512",
        "diffie-hellman-group14-sha256",
    ),
    "Ciphers": (
        # OpenSSH 9 names chacha20 first. With the AES of today's processors these cost half as much time, on both
        # sides.
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
    ),
    "MACs": (
        "umac-64-etm@openssh.com",
        "umac-128-etm@openssh.com",
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "hmac-sha1-etm@openssh.com",
        "umac-64@openssh.com",
        "umac-128@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-512",
        "hmac-sha1",
    ),
    "HostKeyAlgorithms": (
        *(f"{name.removesuffix(_OPENSSH)}{_CERTIFICATE}" for name in _SIGNATURES),
        *_SIGNATURES,
    ),
    "PubkeyAcceptedAlgorithms": _SIGNATURES,
}


@dataclass(frozen=True)
class Algorithms:
    """Names in order of preference."""

    kex: tuple[str, ...]
    host_key: tuple[str, ...]
    ciphers: tuple[str, ...]
    macs: tuple[str, ...]
    signatures: tuple[str, ...]

    @staticmethod
    def supported(keyword: str) -> list[str]:
        """What this library has for a keyword of ssh_config(5), the weak ones included."""
        kinds = {
            "KexAlgorithms": kex.get_kex_algs,
            "Ciphers": encryption.get_encryption_algs,
            "MACs": mac.get_mac_algs,
            "HostKeyAlgorithms": lambda: public_key.get_certificate_algs() + public_key.get_public_key_algs(),
            "PubkeyAcceptedAlgorithms": lambda: public_key.get_public_key_algs() + public_key.get_certificate_algs(),
        }
        return _names(kinds[keyword]())

    @classmethod
    def defaults(cls, keyword: str) -> list[str]:
        """What is offered for a keyword if the user says nothing."""
        supported = cls.supported(keyword)
        return [name for name in _DEFAULTS[keyword] if name in supported]

    @classmethod
    def choose(
        cls,
        *,
        host_key: Sequence[str],
        kex_algorithms: str | None,
        ciphers: str | None,
        macs: str | None,
        signatures: str | None,
    ) -> Algorithms:
        """Apply the lists of a target; `host_key` is already chosen.

        Raises:
            ConfigurationError: a list leaves nothing.
        """

        def expand(keyword: str, wanted: str | None) -> tuple[str, ...]:
            return tuple(expand_algorithms(wanted, cls.defaults(keyword), cls.supported(keyword), keyword))

        return cls(
            kex=expand("KexAlgorithms", kex_algorithms),
            host_key=tuple(host_key),
            ciphers=expand("Ciphers", ciphers),
            macs=expand("MACs", macs),
            signatures=tuple(dict.fromkeys(map(_without_certificate, expand("PubkeyAcceptedAlgorithms", signatures)))),
        )


def expand_algorithms(wanted: str | None, defaults: Sequence[str], supported: Sequence[str], keyword: str) -> list[str]:
    """Apply an algorithm list of ssh_config(5) with its `+`, `-`, `^` forms and wildcards to the defaults.

    Names this library does not know are passed over, as long as one remains.

    Raises:
        ConfigurationError: none remains.
    """
    if not wanted:
        return list(defaults)
    form, names = (wanted[0], wanted[1:]) if wanted[0] in "+-^" else ("", wanted)
    patterns = [name.strip() for name in names.split(",") if name.strip()]
    matched = [name for pattern in patterns for name in supported if match_pattern(pattern, name)]
    if form == "-":
        result = [name for name in defaults if name not in matched]
    else:
        result = {"": matched, "+": [*defaults, *matched], "^": [*matched, *defaults]}[form]
    if not result:
        raise ConfigurationError(
            f"The ssh option {keyword}={wanted} leaves no algorithm that is supported here.",
            next_step=f"Supported: {', '.join(supported)}",
        )
    return list(dict.fromkeys(result))


def _without_certificate(name: str) -> str:
    """The signature a certificate's key makes: that is what this library's lists are about."""
    if not name.endswith(_CERTIFICATE):
        return name
    plain = name.removesuffix(_CERTIFICATE)
    return plain + _OPENSSH if plain.startswith("sk-") else plain


def _names(algorithms: Sequence[bytes]) -> list[str]:
    return [name.decode("ascii") for name in algorithms]
