"""The demo's SSH server, seen by an SSH client: it behaves like an sshd."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh
import pytest

from pybridge.demo.embedded_server import USER, EmbeddedServer


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[EmbeddedServer, asyncssh.SSHClientConnection]]:
    async with (
        EmbeddedServer() as server,
        asyncssh.connect(
            "127.0.0.1",
            server.port,
            username=USER,
            client_keys=[str(server.identity_file)],
            known_hosts=str(server.known_hosts),
            config=None,
            agent_path=None,
        ) as connection,
    ):
        yield server, connection


async def test_streams_arrive_apart_with_the_exit_status() -> None:
    async with connected() as (_, connection):
        result = await connection.run("echo out; echo err >&2; exit 3")
    assert (result.stdout, result.stderr, result.exit_status) == ("out\n", "err\n", 3)


async def test_a_signal_is_reported_by_name() -> None:
    async with connected() as (_, connection):
        result = await connection.run("kill -TERM $$")
    assert result.exit_signal is not None
    assert result.exit_signal[0] == "TERM"


async def test_a_command_leads_its_own_session_and_gets_signals() -> None:
    async with connected() as (_, connection):
        process = await connection.create_process("ps -o pid=,pgid=,sid= -p $$; exec sleep 600")
        assert len(set((await process.stdout.readline()).split())) == 1
        process.send_signal("TERM")
        result = await process.wait()
    assert result.exit_signal is not None
    assert result.exit_signal[0] == "TERM"


async def test_input_reaches_the_command_and_ends() -> None:
    async with connected() as (_, connection):
        result = await connection.run("wc -c", input="x" * 3_000_000)
    assert str(result.stdout).strip() == "3000000"


async def test_much_output_arrives_whole() -> None:
    async with connected() as (_, connection):
        result = await connection.run("head -c 20000000 /dev/zero", encoding=None)
    assert result.stdout is not None
    assert len(result.stdout) == 20_000_000


async def test_a_background_job_does_not_hold_the_channel() -> None:
    async with connected() as (_, connection):
        process = await connection.create_process("sleep 60 & echo $!")
        number = (await process.stdout.readline()).strip()
        result = await asyncio.wait_for(process.wait(), 30)
        assert result.exit_status == 0
        assert (await connection.run(f"kill {number}")).exit_status == 0  # it was still running


async def test_commands_start_in_the_home_folder_and_see_no_setting_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMOTE_PASSWORD", "hunter2")
    async with connected() as (server, connection):
        result = await connection.run("pwd; env")
        assert str(result.stdout).splitlines()[0] == str(server.home.resolve())
    assert "hunter2" not in str(result.stdout)


async def test_sftp_is_rooted_normally_and_relative_to_home() -> None:
    async with connected() as (server, connection), connection.start_sftp_client() as sftp:
        async with sftp.open("note", "w") as file:
            await file.write("hi")
        assert (server.home / "note").read_text() == "hi"
        assert await sftp.isdir("/")
        assert await sftp.isdir(str(server.work))


async def test_another_key_is_refused() -> None:
    async with EmbeddedServer() as server:
        with pytest.raises(asyncssh.PermissionDenied):
            await asyncssh.connect(
                "127.0.0.1",
                server.port,
                username=USER,
                client_keys=[asyncssh.generate_private_key("ssh-ed25519")],
                known_hosts=str(server.known_hosts),
                config=None,
                agent_path=None,
            )


async def test_nothing_is_left_behind() -> None:
    async with connected() as (server, connection):
        process = await connection.create_process("echo $$; exec sleep 600")
        number = int(await process.stdout.readline())
        folder = server.folder
    assert not folder.exists()
    for _ in range(200):
        if not _runs(number):
            break
        await asyncio.sleep(0.05)
    assert not _runs(number)


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True
