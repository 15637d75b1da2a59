"""Nothing of the libraries beneath reaches standard error, which is OpenCode's terminal."""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path

import pytest

from pybridge.transport.asyncssh_quietly import asyncssh
from tests.kit.sshd import SshServer, start_openssh

_PROGRAM = """
import asyncio, sys
from tests.kit.pools import open_pool, run

async def main():
    async with open_pool(sys.argv[1]) as pool:
        print((await run(pool, "echo in")).stdout)
    async with open_pool(sys.argv[2]) as pool:
        try:
            await pool.connect()
        except Exception as error:
            print(type(error).__name__)

asyncio.run(main())
"""


async def test_standard_error_stays_empty(tmp_path: Path, openssh: SshServer) -> None:
    old = "diffie-hellman-group14-sha1"
    server = start_openssh(tmp_path / "server", [f"KexAlgorithms {old}", "Ciphers 3des-cbc"])
    try:
        words = [server.ssh_command_with(f"-oKexAlgorithms=+{old}", "-oCiphers=+3des-cbc")]
        words.append(openssh.ssh_command_with(known_hosts=tmp_path / "none"))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _PROGRAM, *words,
            cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate()
    finally:
        server.stop()
    assert output.decode().split() == ["b'in\\n'", "HostKeyUnknownError"]
    assert errors.decode() == ""


@pytest.mark.parametrize(("error", "told"), [(asyncssh.ConnectionLost("gone"), 0), (ValueError("a fault of ours"), 1)])
async def test_a_transfer_whose_link_ended_is_told_once_only(
    error: Exception, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise error

    task = asyncio.ensure_future(fail())
    await asyncio.wait([task])
    del task
    gc.collect()
    assert len([record for record in caplog.records if "never retrieved" in record.getMessage()]) == told
