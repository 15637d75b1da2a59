"""Row D28: a server as of OpenSSH 5.3, with its algorithms only and one new connection at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pybridge.errors import AlgorithmError
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import ABSENT, Change, Command
from tests.kit.pools import open_pool
from tests.kit.sshd import start_openssh

LEGACY = [
    "HostKeyAlgorithms ssh-rsa",
    "KexAlgorithms diffie-hellman-group14-sha1,diffie-hellman-group1-sha1",
    "Ciphers aes128-cbc,3des-cbc",
    "MACs hmac-sha1",
    "PubkeyAcceptedAlgorithms ssh-rsa,ssh-ed25519",
    "MaxStartups 1",
]
OPTIONS = [
    "-oHostKeyAlgorithms=+ssh-rsa",
    "-oKexAlgorithms=+diffie-hellman-group1-sha1",
    "-oCiphers=+aes128-cbc",
    "-oMACs=+hmac-sha1",
    "-oPubkeyAcceptedAlgorithms=+ssh-rsa",
]


async def test_D28_commands_and_files_work_on_a_server_of_the_class_of_openssh_5_3(tmp_path: Path) -> None:
    server = start_openssh(tmp_path / "sshd", LEGACY)
    folder = tmp_path / "work"
    folder.mkdir()
    try:
        async with open_pool(server.ssh_command_with(*OPTIONS)) as pool:
            host = await Host.connect(pool, HostOptions(workdir=str(folder), login=False))
            await host.files.apply([Change(str(folder / "f"), ABSENT, b"content\n")])
            assert (await host.files.fetch_one(str(folder / "f"))).content == b"content\n"
            results = await asyncio.gather(*(host.run(Command(f"exit {i}", str(folder))) for i in range(12)))
            assert [result.code for result in results] == list(range(12))
            await host.close()
    finally:
        server.stop()


async def test_D28_without_the_options_the_error_names_one_to_add(tmp_path: Path) -> None:
    server = start_openssh(tmp_path / "sshd", LEGACY)
    try:
        async with open_pool(server.ssh_command_with("-oHostKeyAlgorithms=ssh-ed25519")) as pool:
            with pytest.raises(AlgorithmError, match="-o"):
                await pool.connect()
    finally:
        server.stop()
