"""What ssh wrote when it could not log in, as a typed error. Its messages are the same in every language."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pybridge.errors import (
    AlgorithmError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    ConnectionDroppedError,
    ConnectionRefusedByHostError,
    ConnectTimeoutError,
    HostKeyChangedError,
    HostKeyError,
    HostKeyUnknownError,
    UnknownHostError,
)
from pybridge.transport.openssh.questions import AT_THE_TERMINAL
from pybridge.transport.ssh_target import SshTarget

_AUTHENTICATING = "SSH2_MSG_SERVICE_ACCEPT received"
_NOISE = re.compile(r"^(debug\d: |Warning: Permanently added|@{5,}|OpenSSH_|\s*$)")


def describe_failure(target: SshTarget, said: str, remarks: Sequence[str]) -> ConnectError | ConfigurationError:
    """The typed error for a login that failed.

    Args:
        target: where to.
        said: what ssh wrote to standard error, with its debug messages.
        remarks: on keys that could not be used.
    """
    lines = [line.strip() for line in said.splitlines() if not _NOISE.match(line)]
    shown = " ".join(lines)[-600:] or "it said nothing"
    text = "\n".join(lines)

    def has(*words: str) -> bool:
        return any(word in text for word in words)

    if has("Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED", "host key is known for"):
        return _host_key(target, text, shown)
    if offer := re.search(r"no matching (.+?) found\. Their offer: (\S+)", text):
        return _algorithm(target, offer[1], offer[2])
    if has("Permission denied", "Too many authentication failures", "No supported authentication methods"):
        extra = "".join(f" ({remark})" for remark in remarks)
        return AuthenticationError(
            f"{target} did not let us in: {shown}{extra}",
            next_step="Check the user name and the key (-i), or set REMOTE_PASSWORD or REMOTE_KEY_PASSPHRASE.\n"
            f"For a code or a touch: {AT_THE_TERMINAL}",
        )
    if has("Could not resolve hostname"):
        return UnknownHostError(f"{shown}", next_step="Check the host in REMOTE_SSH.")
    if has("Connection refused"):
        return ConnectionRefusedByHostError(
            f"Nothing listens there: {shown}", next_step="Check the host and the port (-p) in REMOTE_SSH."
        )
    if has("timed out", "Operation timed out", "No route to host", "Network is unreachable"):
        return ConnectTimeoutError(f"{target} cannot be reached: {shown}", next_step="Check host, port, VPN, firewall.")
    if has("Bad configuration option", "command-line line", "terminating,", "usage: ssh", "unknown option"):
        return ConfigurationError(
            f"ssh refuses its options: {shown}", next_step="Correct REMOTE_SSH or the file named."
        )
    if has("Connection closed", "Connection reset", "closed by remote host", "Broken pipe", "kex_exchange"):
        authenticating = _AUTHENTICATING in said
        return ConnectionDroppedError(
            f"{target} closed the connection {'during' if authenticating else 'before'} authentication: {shown}",
            next_step="The server may be overloaded (MaxStartups), or refuse this address. Its own log says why.",
            authenticating=authenticating,
        )
    return ConnectError(f"ssh could not log in to {target}: {shown}", next_step="Try the same `ssh` in a terminal.")


def _host_key(target: SshTarget, text: str, shown: str) -> HostKeyError:
    if "HAS CHANGED" in text or "revoked" in text.lower():
        return HostKeyChangedError(
            f"The host key of {target} is not the one in known_hosts: {shown}",
            next_step="Find out why before you connect: it may be another machine. If it is right, remove the old key: "
            "ssh-keygen -R HOST",
        )
    return HostKeyUnknownError(
        f"The host key of {target} could not be verified: {shown}",
        next_step="Log in once with `ssh` in a terminal and accept it, or add to REMOTE_SSH: "
        "-o StrictHostKeyChecking=accept-new",
    )


def _algorithm(target: SshTarget, kind: str, offer: str) -> AlgorithmError:
    keyword = {"host key type": "HostKeyAlgorithms", "key exchange method": "KexAlgorithms", "cipher": "Ciphers"}
    keyword |= {"MAC": "MACs"}
    name = keyword.get(kind, kind)
    return AlgorithmError(
        f"{target} offers only {name} that are not in use here: {offer.replace(',', ', ')}.",
        next_step=f"If you trust them (they may be old and weak), add to REMOTE_SSH: -o {name}=+{offer}",
    )
