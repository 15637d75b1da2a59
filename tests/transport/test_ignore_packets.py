"""Which packets reach a server: no empty ones, unless the cipher needs them."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest
from asyncssh.constants import MSG_IGNORE

from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.pools import open_pool, run


@pytest.mark.parametrize(
    ("cipher", "needed"),
    [
        ("aes128-gcm@openssh.com", False),
        ("chacha20-poly1305@openssh.com", False),
        ("aes128-ctr", False),
        ("aes128-cbc", True),
    ],
)
async def test_empty_packets_are_sent_where_the_cipher_needs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cipher: str, needed: bool
) -> None:
    received = 0

    def ignore(connection: object, *_: object) -> bool:
        nonlocal received
        received += isinstance(connection, asyncssh.SSHServerConnection)
        return True

    monkeypatch.setitem(asyncssh.SSHServerConnection._packet_handlers, MSG_IGNORE, ignore)
    options = {"encryption_algs": [cipher]}
    async with (
        EmbeddedServer(tmp_path, password="x", options=options) as server,
        open_pool(server.ssh_command("-c", cipher), password="x") as pool,
    ):
        await pool.connect()
        before = received
        assert (await run(pool, "echo out")).stdout == b"out\n"
        assert (received > before) == needed
