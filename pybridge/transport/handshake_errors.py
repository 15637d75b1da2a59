"""Says what went wrong in an SSH handshake, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from pybridge.errors import AlgorithmError, AuthenticationError, ConnectError, ConnectionDroppedError
from pybridge.transport.algorithms import Algorithms
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.host_keys import HostKeyVerifier
from pybridge.transport.ssh_client import Client
from pybridge.transport.ssh_target import SshTarget

_KINDS = ("KexAlgorithms", "HostKeyAlgorithms", "Ciphers", "Ciphers", "MACs", "MACs")
_AEAD = ("chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com")


def describe_failure(
    target: SshTarget,
    client: Client,
    verifier: HostKeyVerifier,
    algorithms: Algorithms,
    remarks: Sequence[str],
    error: Exception,
) -> ConnectError:
    """The typed error for a failed handshake.

    Args:
        client: the client that took part, with what it saw.
        remarks: on identities that could not be used.
        error: what asyncssh or the system raised.
    """
    if verifier.error is not None or isinstance(error, asyncssh.HostKeyNotVerifiable):
        return verifier.refuse(getattr(error, "reason", str(error)))
    if isinstance(error, asyncssh.PermissionDenied) or (
        client.authenticating and "authentication failures" in str(error).lower()
    ):
        return describe_denial(target, client, verifier, remarks)
    if not client.authenticating:
        mismatch = _find_mismatch(client, algorithms)
        if mismatch is not None:
            return _describe_mismatch(target, *mismatch)
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return AlgorithmError(f"{target}: no algorithms in common: {reason}.", next_step="See `ssh -vv` for the lists.")
    if isinstance(error, (asyncssh.ConnectionLost, OSError)):
        stage = "during authentication" if client.authenticating else "before authentication"
        return ConnectionDroppedError(
            f"{target} closed the connection {stage} ({reason}).",
            next_step="The server may be overloaded (MaxStartups), or refuse this address. Its own log says why.",
            authenticating=client.authenticating,
        )
    if isinstance(error, asyncssh.ProtocolError):
        return ConnectError(
            f"What answers at {target} does not speak SSH as expected: {reason}.",
            next_step="Check the port in REMOTE_SSH (-p).",
        )
    return ConnectError(f"{target} refused the connection: {reason}.", next_step="The server's own log may say why.")


def describe_denial(
    target: SshTarget, client: Client, verifier: HostKeyVerifier, remarks: Sequence[str]
) -> AuthenticationError:
    """The error for credentials the server did not take, with what it would take."""
    tried = "the password was refused" if client.password_sent else "no key was accepted"
    offered = ", ".join(client.methods) or "methods that are not supported here"
    lines = [f"{target} denied access: {tried}. The server takes: {offered}."]
    if verifier.changed_but_allowed:
        lines.append("Its host key has changed, so no password was sent (StrictHostKeyChecking=no).")
    if client.prompts:
        lines.append(f"It asked: {'; '.join(client.prompts)}")
    lines += [f"Not usable: {remark}." for remark in remarks]
    if client.password_sent:
        step = (
            "Correct REMOTE_PASSWORD. It was sent once and will not be sent again, so that the account is not locked."
        )
    elif "password" in client.methods or "keyboard-interactive" in client.methods:
        step = "Set REMOTE_PASSWORD, or name a key with -i in REMOTE_SSH, or load one into ssh-agent."
    else:
        step = "Name a key with -i in REMOTE_SSH, or load one into ssh-agent, and check the user name."
    return AuthenticationError("\n".join(lines), next_step=step)


def _find_mismatch(client: Client, algorithms: Algorithms) -> tuple[str, list[str], list[str]] | None:
    """The first kind of algorithm of which client and server have none in common: keyword, ours, theirs."""
    theirs = _read_key_exchange_init(client)
    if theirs is None:
        return None
    ours = (
        algorithms.kex,
        algorithms.host_key,
        algorithms.ciphers,
        algorithms.ciphers,
        algorithms.macs,
        algorithms.macs,
    )
    for keyword, mine, other in zip(_KINDS, ours, theirs, strict=False):
        if keyword == "MACs" and any(name in _AEAD for name in theirs[2] if name in algorithms.ciphers):
            continue
        if not set(mine) & set(other):
            return keyword, list(mine), other
    return None


def _read_key_exchange_init(client: Client) -> list[list[str]] | None:
    """The name lists of the server's SSH_MSG_KEXINIT (RFC 4253, 7.1), None if it has not come.

    asyncssh keeps the message, but has no public name for it; without it the message is only less precise.
    """
    message = getattr(client.connection, "_server_kexinit", None)
    if not isinstance(message, bytes) or len(message) < 21:
        return None
    lists: list[list[str]] = []
    position = 17
    for _ in _KINDS:
        length = int.from_bytes(message[position : position + 4], "big")
        names = message[position + 4 : position + 4 + length].decode("ascii", "replace")
        lists.append(names.split(",") if names else [])
        position += 4 + length
    return lists


def _describe_mismatch(target: SshTarget, keyword: str, ours: list[str], theirs: list[str]) -> AlgorithmError:
    usable = [name for name in theirs if name in Algorithms.supported(keyword)]
    message = f"{target} offers only {keyword} that are not in use here: {', '.join(theirs)}."
    if usable:
        step = f"If you trust them (they may be old and weak), add to REMOTE_SSH: -o {keyword}=+{','.join(usable)}"
    else:
        step = f"None of them is supported here. Ask the administrator to allow one of: {', '.join(ours[:6])}"
    return AlgorithmError(message, next_step=step)
