"""Sends the first input of a process along with the request to start it, where OpenSSH's sshd gives no window yet.

It opens a session with a window of 0, and widens that (by megabytes) at the moment it starts the command (session.c,
channels.c). It takes packets in order, so it has done so when it comes to the input that follows the request: to wait
until we are told of it costs a round trip. If it does not start the command, it drops the input.
"""

from __future__ import annotations

from typing import Any, cast

from pybridge.transport.asyncssh_quietly import asyncssh, constants, packet

MOST_BYTES = 32 * 1024
"""So much is sent before there is a window: sshd's smallest one is many times that."""


def lend_window(channel: asyncssh.SSHClientChannel[bytes], size: int) -> None:
    """Let a channel of sshd's that has no window send up to so many bytes, and take them off the window it gets.

    To be called when the command has been asked for, and nothing else will be.
    """
    own: Any = cast(Any, channel)
    version = str(own.get_connection().get_extra_info("server_version"))
    if own._send_window or not version.startswith("SSH-2.0-OpenSSH_"):
        return
    debt = own._send_window = min(size, MOST_BYTES)
    handlers = own._packet_handlers
    usual = handlers[constants.MSG_CHANNEL_WINDOW_ADJUST]

    def take_back(handler: Any, kind: int, number: int, message: packet.SSHPacket) -> None:
        nonlocal debt
        adjust = int.from_bytes(message.get_remaining_payload()[:4], "big")
        if adjust <= debt:
            debt -= adjust
            return
        own._packet_handlers = handlers
        own._send_window -= debt
        usual(handler, kind, number, message)

    own._packet_handlers = {**handlers, constants.MSG_CHANNEL_WINDOW_ADJUST: take_back}
