"""What a person is told when a host key is not accepted: which key, what is known, and the commands that go on."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from pybridge.errors import HostKeyChangedError, HostKeyError, HostKeyUnknownError
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.known_hosts import DEFAULT_PORT, KnownHost
from pybridge.transport.ssh_target import SshTarget


def describe_key(key: asyncssh.SSHKey) -> str:
    """Type and SHA256 fingerprint, as OpenSSH prints them."""
    return f"{key.algorithm.decode()} {key.get_fingerprint('sha256')}"


def unknown_key(target: SshTarget, key: asyncssh.SSHKey, remark: str | None) -> HostKeyUnknownError:
    """No line of known_hosts names the host.

    Args:
        remark: why the certificate that the key was in does not count.
    """
    files = target.user_known_hosts
    message = f"The host key of {target} is not known: {describe_key(key)}."
    if remark:
        message += f"\nIts certificate does not count: {remark}."
    if not files:
        return HostKeyUnknownError(
            f"{message}\nThere is no file to remember it in (UserKnownHostsFile=none).",
            next_step="Name a file for it, e.g. -o UserKnownHostsFile=~/.ssh/known_hosts",
        )
    words = destination_words(target)
    return HostKeyUnknownError(
        message,
        next_step=(
            "Compare this fingerprint with the host's own. If it is right, accept it with:\n"
            f"  pybridge trust {words}\n"
            "or, where there is an ssh program, with:\n"
            f"  ssh -o StrictHostKeyChecking=accept-new {words} true\n"
            f"It is looked for in {', '.join(map(str, files))}. "
            "Or add -o StrictHostKeyChecking=accept-new to REMOTE_SSH; new keys are then accepted."
        ),
    )


def changed_key(target: SshTarget, name: str, key: asyncssh.SSHKey, known: Sequence[KnownHost]) -> HostKeyChangedError:
    """Other keys are known for the host."""
    lines = "\n".join(f"  {entry.place}: {describe_key(entry.key)}" for entry in known)
    return HostKeyChangedError(
        f"The host key of {target} is not the one that is known. It shows:\n  {describe_key(key)}\nKnown is:\n{lines}\n"
        "Someone may be impersonating the host, or it was installed anew. Nothing was sent to it.",
        next_step=f"If the change is right, remove the old key, and accept the new one then:\n{_removing(name, known)}",
    )


def changed_address(
    target: SshTarget, address: str, key: asyncssh.SSHKey, known: Sequence[KnownHost]
) -> HostKeyChangedError:
    """Other keys are known for the host's address, which CheckHostIP wants to be right too."""
    lines = "\n".join(f"  {entry.place}: {describe_key(entry.key)}" for entry in known)
    return HostKeyChangedError(
        f"The host key of {target}, {describe_key(key)}, is not the one that is known for its address {address}:\n"
        f"{lines}\nNothing was sent to it.",
        next_step=f"If the change is right, remove the old key, or set CheckHostIP to no:\n{_removing(address, known)}",
    )


def revoked_key(target: SshTarget, key: asyncssh.SSHKey, places: Sequence[str]) -> HostKeyChangedError:
    """The key, its certificate or its authority is revoked.

    Args:
        places: where it says so.
    """
    return HostKeyChangedError(
        f"The host key of {target} ({describe_key(key)}) is revoked in {', '.join(places)}. Nothing was sent to it.",
        next_step="Ask the administrator of the host for its new host key.",
    )


def short_key(target: SshTarget, key: asyncssh.SSHKey, bits: int) -> HostKeyError:
    """An RSA key of fewer bits than RequiredRSASize."""
    return HostKeyError(
        f"The host key of {target} ({describe_key(key)}) has {bits} bits only; RequiredRSASize is "
        f"{target.required_rsa_bits}. Nothing was sent to it.",
        next_step="Ask the administrator of the host for a longer key, or set RequiredRSASize lower.",
    )


def destination_words(target: SshTarget) -> str:
    """Words that lead an ssh command to a target and its known_hosts file, quoted for a shell."""
    words: list[str] = []
    given = {
        "HostKeyAlias": target.host_key_alias,
        "HashKnownHosts": "yes" if target.hash_known_hosts else None,
        "KexAlgorithms": target.kex_algorithms,
        "HostKeyAlgorithms": target.host_key_algorithms,
        "Ciphers": target.ciphers,
        "MACs": target.macs,
        "ProxyCommand": target.proxy_command,
    }
    if target.user_known_hosts[:1] and not _is_default(target):
        file = str(target.user_known_hosts[0])
        given["UserKnownHostsFile"] = f'"{file}"' if " " in file else file
    for keyword, value in given.items():
        if value is not None:
            words += ["-o", f"{keyword}={value}"]
    for path in target.named_identities:
        words += ["-i", str(path)]
    if target.jumps:
        words += ["-J", ",".join(f"{hop.user}@{_bracketed(hop.host)}:{hop.port}" for hop in target.jumps)]
    if target.port != DEFAULT_PORT:
        words += ["-p", str(target.port)]
    return shlex.join([*words, f"{target.user}@{target.host}"])


def _is_default(target: SshTarget) -> bool:
    return target.user_known_hosts[0] == Path("~/.ssh/known_hosts").expanduser()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _removing(name: str, known: Sequence[KnownHost]) -> str:
    paths = dict.fromkeys(entry.path for entry in known if entry.path is not None)
    commands = [f"  ssh-keygen -R {shlex.quote(name)} -f {shlex.quote(str(path))}" for path in paths]
    if any(entry.path is None for entry in known):
        commands.append("  (a line comes from KnownHostsCommand: correct what that prints)")
    return "\n".join(commands)
