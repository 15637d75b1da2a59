"""The name under which an RSA certificate is offered: asyncssh begins with the one that today's servers refuse."""

from __future__ import annotations

import re

from pybridge.transport.asyncssh_quietly import asyncssh

_OLD_NAME = b"ssh-rsa-cert-v01@openssh.com"
_OLD_SERVERS = re.compile(r"OpenSSH_([1-6]\.|7\.[0-7]\b)")
"""They sign with SHA-2, but know only the old name of the certificate's type."""


def name_for_server(pair: asyncssh.SSHKeyPair, server_version: str) -> None:
    """Have a key pair with an RSA certificate named after its signature, `rsa-sha2-512-cert-v01@openssh.com`.

    asyncssh offers the old name, and the new one only where another key follows: the last key would never get in.

    Args:
        pair: any key pair; others than with an RSA certificate stay as they are.
        server_version: the server's identification.
    """
    if pair.algorithm != _OLD_NAME or _OLD_SERVERS.search(server_version):
        return
    choose = pair.set_sig_algorithm

    def set_sig_algorithm(algorithm: bytes) -> None:
        choose(algorithm)
        if pair.sig_algorithm.startswith(b"rsa-sha2-"):
            pair.algorithm = pair.sig_algorithm + b"-cert-v01@openssh.com"

    pair.__dict__["set_sig_algorithm"] = set_sig_algorithm
