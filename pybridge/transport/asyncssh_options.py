"""What asyncssh is told for a connection to one server."""

from __future__ import annotations

from typing import Any

from pybridge.transport.algorithms import Algorithms
from pybridge.transport.host_keys import HostKeyVerifier
from pybridge.transport.ssh_target import SshTarget


def asyncssh_options(hop: SshTarget, verifier: HostKeyVerifier, algorithms: Algorithms) -> dict[str, Any]:
    """The options for a connection to one server. asyncssh's own reading of configuration files and of the agent is
    switched off.

    Args:
        hop: the server.
        verifier: of its host key.
        algorithms: those to offer.
    """
    options: dict[str, Any] = {
        "config": None,
        "username": hop.user,
        "known_hosts": ([], [], []),
        "host_key_alias": hop.host_key_alias,
        "server_host_key_algs": list(algorithms.host_key),
        "kex_algs": list(algorithms.kex),
        "encryption_algs": list(algorithms.ciphers),
        "mac_algs": list(algorithms.macs),
        "signature_algs": list(algorithms.signatures),
        "compression_algs": ["zlib@openssh.com", "none"] if hop.compression else ["none", "zlib@openssh.com"],
        "x509_trusted_certs": None,
        "client_keys": None,
        "agent_path": None,
        "preferred_auth": list(hop.authentication_methods),
        "host_based_auth": False,
        "public_key_auth": "publickey" in hop.authentication_methods,
        "password_auth": "password" in hop.authentication_methods,
        "kbdint_auth": "keyboard-interactive" in hop.authentication_methods,
        "gss_host": None,
        "tcp_keepalive": hop.tcp_keepalive,
        "keepalive_interval": hop.keepalive_seconds,
        "keepalive_count_max": hop.keepalive_count,
        "connect_timeout": None,
        "login_timeout": 0,
        "env": dict(hop.set_environment) or None,
        "send_env": list(hop.send_environment) or None,
    }
    if hop.forwarded_agent and not verifier.changed_but_allowed:
        options["agent_forwarding"] = hop.forwarded_agent
    if hop.rekey_bytes:
        options["rekey_bytes"] = hop.rekey_bytes
    if hop.rekey_seconds:
        options["rekey_seconds"] = hop.rekey_seconds
    return options
