"""Says what went wrong in an SSH handshake, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from pybridge.errors import AlgorithmError, AuthenticationError, ConnectError, ConnectionDroppedError, HostKeyError
from pybridge.transport.algorithm_errors import describe_mismatch, read_key_exchange_init
from pybridge.transport.algorithms import Algorithms
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.host_keys import HostKeyVerifier
from pybridge.transport.ssh_client import Client
from pybridge.transport.ssh_target import SshTarget


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
    if verifier.error is not None:
        return verifier.error
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return HostKeyError(f"The host key of {target} could not be verified: {error.reason}.")
    if isinstance(error, asyncssh.PermissionDenied) or (
        client.authenticating and "authentication failures" in str(error).lower()
    ):
        return describe_denial(target, client, verifier, remarks)
    if not client.authenticating:
        theirs = read_key_exchange_init(getattr(client.connection, "_server_kexinit", None))
        mismatch = describe_mismatch(target, algorithms, theirs) if theirs is not None else None
        if mismatch is not None:
            return mismatch
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
