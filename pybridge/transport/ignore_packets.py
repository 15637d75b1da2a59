"""Leaves out the empty packets that asyncssh sends before each of its packets."""

from __future__ import annotations

from typing import Any

from pybridge.transport.asyncssh_quietly import asyncssh, constants


def leave_out_ignores(connection: asyncssh.SSHClientConnection) -> None:
    """Send no empty SSH_MSG_IGNORE before each packet, unless the cipher needs it.

    They keep whoever listens from knowing the next initialisation vector of a CBC cipher (RFC 4251, section 9.3.1).
    Every other cipher has no use for them, and they are as many as all other packets together.

    Args:
        connection: authenticated.
    """
    if str(connection.get_extra_info("send_cipher")).endswith("-cbc"):
        return
    send = connection.send_packet

    def send_packet(pkttype: int, *args: bytes, **options: Any) -> None:
        if pkttype != constants.MSG_IGNORE:
            send(pkttype, *args, **options)

    connection.send_packet = send_packet
