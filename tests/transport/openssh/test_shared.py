"""A connection that the user shares already: it is used, no login is made, and it is never ended."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pybridge.errors import AuthenticationError, ConnectionLostError
from pybridge.transport.process import ExitStatus, Stream
from pybridge.transport.ssh_pool import PoolState
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.pools import Output, finish, open_system_ssh, run, until
from tests.kit.shared_ssh import shared_ssh
from tests.kit.sshd import SshServer, start_openssh


async def test_it_is_used_without_a_login_and_left_alone(openssh: SshServer) -> None:
    with shared_ssh(openssh.ssh_command) as own:
        before = openssh.log().count("Accepted publickey")
        async with open_system_ssh(own.ssh_command) as carrier:
            output = await run(carrier, "echo out; echo err >&2; exit 255")
            assert output == Output(b"out\n", b"err\n", ExitStatus(code=255))
            assert "your own" in carrier.whose
            running = await carrier.start("exec sleep 100")
        with pytest.raises(ConnectionLostError):
            await running.wait_exit()
        assert own.alive
        assert openssh.log().count("Accepted publickey") == before


@pytest.mark.whole
async def test_sessions_the_server_refuses_wait_and_do_not_end_it(tmp_path: Path) -> None:
    """Seen with `ssh -O proxy` of OpenSSH 9.2: a refused channel ends the shared connection when its user leaves."""
    server = start_openssh(tmp_path / "sshd", ["MaxSessions 3"])
    try:
        with shared_ssh(server.ssh_command) as own:
            async with open_system_ssh(own.ssh_command) as other, open_system_ssh(own.ssh_command) as carrier:
                held = await other.start("cat")
                outputs = await asyncio.gather(*(run(carrier, f"echo {number}") for number in range(12)))
                assert [output.stdout for output in outputs] == [f"{number}\n".encode() for number in range(12)]
                held.write_eof()
                assert (await held.wait_exit()).code == 0
            assert own.alive
    finally:
        server.stop()


@pytest.mark.whole
async def test_many_bytes_pass_and_a_slow_reader_makes_the_remote_wait(openssh: SshServer) -> None:
    data = bytes(range(256)) * 20_000
    with shared_ssh(openssh.ssh_command) as own:
        async with open_system_ssh(own.ssh_command) as carrier:
            process = await carrier.start("cat", stdin=data[:1000])

            async def feed() -> None:
                await process.write(data[1000:])
                process.write_eof()

            output, _ = await asyncio.gather(finish(process), feed())
            assert output.stdout == data
            endless = await carrier.start("exec yes")
            assert (await endless.read()) is not None
            endless.close()
            closed = await carrier.start("exec sleep 100")
            closed.close()
            assert await until(lambda: carrier._connection is not None and carrier._connection.channels == 0)


@pytest.mark.whole
async def test_a_signal_is_told_from_a_lost_connection(openssh: SshServer) -> None:
    states: list[PoolState] = []
    with shared_ssh(openssh.ssh_command) as own:
        async with open_system_ssh(own.ssh_command, on_state=lambda state, _: states.append(state)) as carrier:
            assert (await run(carrier, "kill -9 $$")).status == ExitStatus()
            process = await carrier.start("echo begun; exec sleep 100")
            assert await process.read() == (Stream.STDOUT, b"begun\n")
            own.end()
            with pytest.raises(ConnectionLostError):
                await finish(process)
            with pytest.raises(ConnectionLostError):
                await process.wait_exit()
            assert await until(lambda: states[-1] is PoolState.LOST)
            assert (await run(carrier, "echo again")).stdout == b"again\n"  # the key still lets us in
    assert states == [PoolState.READY, PoolState.LOST, PoolState.RECONNECTING, PoolState.READY]


@pytest.mark.whole
async def test_one_that_is_gone_is_named_where_nobody_can_log_in_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user has logged in with a code; we have none."""
    monkeypatch.delenv("SSH_ASKPASS", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "askpass").write_text("#!/bin/sh\necho 123456\n")
    (tmp_path / "askpass").chmod(0o755)
    environment = {"SSH_ASKPASS": str(tmp_path / "askpass"), "SSH_ASKPASS_REQUIRE": "force"}
    async with EmbeddedServer(
        tmp_path, password="123456", use_password=False, use_interactive=True, prompts=("Code: ",)
    ) as server:
        opening = shared_ssh(server.ssh_command(), environment)
        own = await asyncio.to_thread(opening.__enter__)
        try:
            async with open_system_ssh(own.ssh_command) as carrier:
                assert (await run(carrier, "echo one login")).stdout == b"one login\n"
                await asyncio.to_thread(own.end)
                with pytest.raises(AuthenticationError, match="is gone. Open it again: ssh -f -N -M") as error:
                    while True:
                        await run(carrier, "true")
                assert str(own.path) in str(error.value)
            assert server.answers == [["123456"]]
        finally:
            opening.__exit__(None, None, None)
