"""Names the options that an old server needs, all of them at once, as its first message tells what it has."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pybridge.errors import AlgorithmError
from pybridge.transport.algorithms import Algorithms
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.identities import Identities
from pybridge.transport.ssh_target import SshTarget

_AEAD = ("chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
_SIGNALS = ("ext-info-", "kex-strict-", "kexguess2@")
"""What stands among the key exchange methods without being one: of RFC 8308, of OpenSSH, of dropbear."""
_LEAST_WEAK = (
    "diffie-hellman-group14-sha1",
    "diffie-hellman-group-exchange-sha1",
    "diffie-hellman-group1-sha1",
    "ssh-rsa",
    "ssh-dss",
    "aes256-cbc",
    "aes192-cbc",
    "aes128-cbc",
    "3des-cbc",
    "hmac-sha1",
    "hmac-sha1-96",
    "hmac-md5",
    "hmac-md5-96",
)
"""Old algorithms that OpenSSH has too, in the order to prefer them; those of other origin come after them."""


@dataclass(frozen=True)
class ServerOffer:
    """The server's lists of its SSH_MSG_KEXINIT that matter here. Only one direction: no server has different ones."""

    kex: tuple[str, ...]
    host_key: tuple[str, ...]
    ciphers: tuple[str, ...]
    macs: tuple[str, ...]


def read_key_exchange_init(message: object) -> ServerOffer | None:
    """Read the name lists of an SSH_MSG_KEXINIT (RFC 4253, 7.1), None if it is not one.

    asyncssh keeps the message, but has no public name for it; without it an error is only less precise.
    """
    if not isinstance(message, bytes) or len(message) < 21:
        return None
    lists: list[tuple[str, ...]] = []
    position = 17
    for _ in range(6):
        length = int.from_bytes(message[position : position + 4], "big")
        names = message[position + 4 : position + 4 + length].decode("ascii", "replace")
        lists.append(tuple(names.split(",")) if names else ())
        position += 4 + length
    kex, host_key, _, ciphers, _, macs = lists
    return ServerOffer(tuple(name for name in kex if not name.startswith(_SIGNALS)), host_key, ciphers, macs)


def describe_mismatch(target: SshTarget, ours: Algorithms, theirs: ServerOffer) -> AlgorithmError | None:
    """The error for a server that shares no algorithm of some kind with us, None if it shares all kinds."""
    missing = dict(_find_missing(ours, theirs))
    if not missing:
        return None
    offers = [f"  {keyword}: {', '.join(names) or 'none'}" for keyword, names in missing.items()]
    message = f"{target} has only algorithms that are not in use here by default:\n" + "\n".join(offers)
    options: list[str] = []
    hopeless: list[str] = []
    for keyword, names in missing.items():
        usable = sorted((name for name in names if name in Algorithms.supported(keyword)), key=_weakness)
        if usable:
            options.append(_option(target, keyword, usable[0]))
        else:
            hopeless.append(keyword)
    if hopeless:
        return AlgorithmError(
            message,
            next_step=f"None of its {' and '.join(hopeless)} is supported here. Set REMOTE_TRANSPORT=openssh if your "
            "own ssh has them (`ssh -Q help`), or ask the administrator of the host to allow newer ones.",
        )
    options += _user_key_options(target, ours, theirs)
    return AlgorithmError(
        message,
        next_step="If you trust this server all the same (such algorithms are weak), put this before the host "
        f"in REMOTE_SSH:\n  {shlex.join(options)}",
    )


def describe_old_signatures(
    connection: asyncssh.SSHClientConnection | None, algorithms: Algorithms, identities: Identities
) -> list[str]:
    """Remarks on keys that were not tried, since the server takes only SHA-1 signatures of them."""
    said = getattr(connection, "_server_sig_algs", None) or set()  # server-sig-algs, RFC 8308.
    old = {"ssh-rsa": {b"rsa-sha2-256", b"rsa-sha2-512"} & said, "ssh-dss": set()}
    remarks = []
    for kind, newer in old.items():
        if not newer and kind not in algorithms.signatures and any(_kind(pair) == kind for pair in identities.pairs):
            name = "RSA" if kind == "ssh-rsa" else "DSA"
            remarks.append(
                f"the {name} key, of which the server takes SHA-1 signatures only. If you trust it all the same, "
                f"add to REMOTE_SSH: -oPubkeyAcceptedAlgorithms=+{kind}"
            )
    return remarks


def _kind(pair: asyncssh.SSHKeyPair) -> str:
    return pair.key_algorithm.decode() if hasattr(pair, "key_algorithm") else pair.algorithm.decode()


def _find_missing(ours: Algorithms, theirs: ServerOffer) -> Iterator[tuple[str, Sequence[str]]]:
    """The kinds of which both have none in common: keyword, what the server has."""
    if not set(ours.kex) & set(theirs.kex):
        yield "KexAlgorithms", theirs.kex
    if not set(ours.host_key) & set(theirs.host_key):
        yield "HostKeyAlgorithms", theirs.host_key
    cipher = next((name for name in ours.ciphers if name in theirs.ciphers), None)
    if cipher is None:
        yield "Ciphers", theirs.ciphers
    if cipher not in _AEAD and not set(ours.macs) & set(theirs.macs):
        yield "MACs", theirs.macs


def _user_key_options(target: SshTarget, ours: Algorithms, theirs: ServerOffer) -> list[str]:
    """A server whose own RSA key signs with SHA-1 only takes no other signatures of the user's keys either."""
    kind = next((name for name in ("ssh-rsa", "ssh-dss") if name in theirs.host_key), None)
    newer = any(not name.startswith(("ssh-rsa", "ssh-dss")) for name in theirs.host_key)
    if kind is None or newer or kind in ours.signatures:
        return []
    return [_option(target, "PubkeyAcceptedAlgorithms", kind)]


def _option(target: SshTarget, keyword: str, name: str) -> str:
    """An option that adds an algorithm to those the user has already chosen: only the first of a keyword counts."""
    chosen = {
        "KexAlgorithms": target.kex_algorithms,
        "HostKeyAlgorithms": target.host_key_algorithms,
        "Ciphers": target.ciphers,
        "MACs": target.macs,
        "PubkeyAcceptedAlgorithms": target.public_key_algorithms,
    }[keyword]
    if chosen is None or chosen[0] in "-^":
        return f"-o{keyword}=+{name}"
    return f"-o{keyword}={chosen},{name}"


def _weakness(name: str) -> int:
    return _LEAST_WEAK.index(name) if name in _LEAST_WEAK else len(_LEAST_WEAK)
