"""Says what went wrong in an SSH handshake, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from pybridge.errors import AlgorithmError, ConnectError, ConnectionDroppedError, HostKeyError, RemoteError
from pybridge.transport.algorithm_errors import describe_mismatch, read_key_exchange_init
from pybridge.transport.algorithms import Algorithms
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.denial import describe_denial
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
) -> RemoteError:
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
    too_many = client.authenticating and "authentication failures" in str(error).lower()
    if too_many or isinstance(error, asyncssh.PermissionDenied):
        return describe_denial(target, client.login, remarks, too_many=too_many)
    if not client.authenticating:
        theirs = read_key_exchange_init(getattr(client.connection, "_server_kexinit", None))
        mismatch = describe_mismatch(target, algorithms, theirs) if theirs is not None else None
        if mismatch is not None:
            return mismatch
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return AlgorithmError(f"{target}: no algorithms in common: {reason}.", next_step="See `ssh -vv` for the lists.")
    if isinstance(error, (asyncssh.ConnectionLost, OSError)):
        if client.login.password is not None and not client.authenticated:
            # dropbear's way to say no for the last time. Whatever it was: a password is not sent twice.
            return describe_denial(target, client.login, remarks, how=f", and the connection closed ({reason})")
        stage = "during authentication" if client.authenticating else "before authentication"
        step = "The server may be overloaded (MaxStartups), or refuse this address. Its own log says why."
        if client.authenticating and len(client.login.identities.pairs) > 1:
            step += f" Or it lets one try fewer keys than the {len(client.login.identities.pairs)} that were offered: "
            step += "name one, with -i KEY -o IdentitiesOnly=yes in REMOTE_SSH."
        return ConnectionDroppedError(
            f"{target} closed the connection {stage} ({reason}).",
            next_step=step,
            authenticating=client.authenticating,
        )
    if isinstance(error, asyncssh.ProtocolError):
        return ConnectError(
            f"What answers at {target} does not speak SSH as expected: {reason}.",
            next_step="Check the port in REMOTE_SSH (-p).",
        )
    return ConnectError(f"{target} refused the connection: {reason}.", next_step="The server's own log may say why.")
