"""Row D15: no `ssh`, `sshpass` or `rsync` program, and passwords all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.sshd import SshServer

PROGRAM = """
import asyncio, shutil, sys
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import Change, ABSENT, Command
from tests.kit.pools import open_pool

async def main(ssh, password, folder):
    assert not any(map(shutil.which, ("ssh", "sshpass", "rsync", "scp", "sftp", "sh")))
    async with open_pool(ssh, password=password or None) as pool:
        host = await Host.connect(pool, HostOptions(workdir=folder, login=False))
        await host.files.apply([Change(folder + "/f", ABSENT, b"x" * 5_000_000)])
        pieces = []
        await host.run(Command("wc -c < f", folder, on_output=lambda stream, data: pieces.append(data)))
        print(b"".join(pieces).decode())
        await host.close()

asyncio.run(main(*sys.argv[1:]))
"""


def run_without_programs(ssh: str, password: str, folder: Path) -> str:
    root = Path(__file__).parents[2]
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    environment = {"PATH": str(empty), "HOME": str(folder), "PYTHONPATH": str(root)}
    words = [sys.executable, "-c", PROGRAM, ssh, password, str(folder)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_D15_with_a_key_and_no_program_on_the_path(openssh: SshServer, tmp_path: Path) -> None:
    assert run_without_programs(openssh.ssh_command, "", tmp_path) == "5000000"


async def test_D15_with_a_password_and_no_program_on_the_path(tmp_path: Path) -> None:
    import asyncio

    async with EmbeddedServer(tmp_path, password="hunter2 $x") as server:
        ssh = (
            f"ssh -F none -o UserKnownHostsFile={server.known_hosts} -o IdentityAgent=none -p {server.port}"
            f" {server.user}@127.0.0.1"
        )
        printed = await asyncio.to_thread(run_without_programs, ssh, "hunter2 $x", tmp_path)
    assert printed == "5000000"
    assert (tmp_path / "f").stat().st_size == 5_000_000
