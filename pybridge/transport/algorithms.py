"""The algorithms to offer to a server: the target's lists applied to what this library has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pybridge.errors import ConfigurationError
from pybridge.transport.asyncssh_quietly import encryption, kex, mac, public_key
from pybridge.transport.ssh_config import match_pattern


@dataclass(frozen=True)
class Algorithms:
    """Names in order of preference. `signatures` is empty for the default."""

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
            "PubkeyAcceptedAlgorithms": public_key.get_public_key_algs,
        }
        return _names(kinds[keyword]())

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

        def expand(keyword: str, wanted: str | None, defaults: list[bytes]) -> tuple[str, ...]:
            return tuple(expand_algorithms(wanted, _names(defaults), cls.supported(keyword), keyword))

        return cls(
            # A GSSAPI exchange needs a ticket; a default offer of it would change nothing but the message's size.
            kex=expand("KexAlgorithms", kex_algorithms, [n for n in kex.get_default_kex_algs() if n[:4] != b"gss-"]),
            host_key=tuple(host_key),
            ciphers=expand("Ciphers", ciphers, encryption.get_default_encryption_algs()),
            macs=expand("MACs", macs, mac.get_default_mac_algs()),
            signatures=expand("PubkeyAcceptedAlgorithms", signatures, public_key.get_default_public_key_algs())
            if signatures
            else (),
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


def _names(algorithms: Sequence[bytes]) -> list[str]:
    return [name.decode("ascii") for name in algorithms]
