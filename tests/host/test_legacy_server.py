"""Row D28: a server as of OpenSSH 5.3, with its algorithms only and one new connection at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pybridge.host.host import Host, HostOptions
from pybridge.host.model import ABSENT, Change, Command
from tests.kit.legacy_servers import SSH_5_3, legacy_command, start_legacy
from tests.kit.pools import open_pool


async def test_D28_commands_and_files_work_on_a_server_of_the_class_of_openssh_5_3(tmp_path: Path) -> None:
    server = start_legacy(tmp_path / "sshd", SSH_5_3, ["MaxStartups 1"])
    folder = tmp_path / "work"
    folder.mkdir()
    try:
        async with open_pool(legacy_command(server)) as pool:
            host = await Host.connect(pool, HostOptions(workdir=str(folder), login=False))
            await host.files.apply([Change(str(folder / "f"), ABSENT, b"content\n")])
            assert (await host.files.fetch_one(str(folder / "f"))).content == b"content\n"
            results = await asyncio.gather(*(host.run(Command(f"exit {i}", str(folder))) for i in range(12)))
            assert [result.code for result in results] == list(range(12))
            await host.close()
    finally:
        server.stop()
