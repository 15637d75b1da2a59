"""Channels over one connection of the system's ssh, against real servers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.errors import ChannelError, ConfigurationError, ConnectionLostError, RemoteError
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import ABSENT, Change, Command
from pybridge.transport.openssh.command_line import read_command_line
from pybridge.transport.openssh.configuration import ask_ssh
from pybridge.transport.openssh.master import PREFIX
from pybridge.transport.process import ExitStatus
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_pool import PoolState
from pybridge.transport.ssh_target import resolve_target
from tests.kit.pools import Output, finish, open_system_ssh, run, through, until
from tests.kit.sshd import SshServer, start_openssh


@pytest.fixture(autouse=True)
def sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where sockets lie in this test: none may be left."""
    folder = Path("/tmp") / f"pb-{os.getpid()}-{abs(hash(tmp_path)) % 10**6}"
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    left = list(folder.iterdir())
    for path in left:
        subprocess.run(["rm", "-rf", str(path)], check=True)
    folder.rmdir()
    assert left == []


def logins(server: SshServer) -> int:
    """How often somebody has logged in there."""
    return server.log().count("Accepted publickey")


async def test_thirty_commands_and_files_need_one_login(tmp_path: Path) -> None:
    server = start_openssh(tmp_path / "sshd", ["MaxSessions 6"])
    try:
        async with open_system_ssh(server.ssh_command) as carrier:
            host = await Host.connect(carrier, HostOptions(workdir=str(tmp_path), login=False))

            async def echo(number: int) -> bytes:
                said = bytearray()
                command = Command(f"echo {number}", str(tmp_path), on_output=lambda _, data: said.extend(data))
                assert (await host.run(command)).code == 0
                return bytes(said)

            async def fetch() -> bytes | None:
                return (await host.files.fetch_one(str(tmp_path / "file"), max_bytes=200_000)).content

            (tmp_path / "file").write_bytes(b"x" * 100_000)
            *said, fetched = await asyncio.gather(*(echo(number) for number in range(30)), fetch())
            assert said == [f"{number}\n".encode() for number in range(30)]
            assert fetched == b"x" * 100_000
            await host.close()
        assert logins(server) == 1
    finally:
        server.stop()


async def test_a_lost_connection_is_named_and_the_next_call_connects_again(openssh: SshServer, sockets: Path) -> None:
    states: list[PoolState] = []
    async with (
        DelayProxy(openssh.port, 0) as proxy,
        open_system_ssh(through(openssh, proxy), on_state=lambda state, _: states.append(state)) as carrier,
    ):
        process = await carrier.start("sleep 100")
        proxy.cut()
        with pytest.raises(ConnectionLostError, match="The next call connects again"):
            await finish(process)
        with pytest.raises(ConnectionLostError):
            await carrier.start("true", reconnect=False)
        assert (await run(carrier, "echo again")).stdout == b"again\n"
    assert states == [PoolState.READY, PoolState.LOST, PoolState.RECONNECTING, PoolState.READY]


@pytest.mark.whole
async def test_a_server_that_is_killed_ends_what_runs_and_refuses_the_next_call(tmp_path: Path) -> None:
    server = start_openssh(tmp_path / "sshd")
    async with open_system_ssh(server.ssh_command) as carrier:
        process = await carrier.start("sleep 100")
        children = server.connections()
        server.stop()
        for child in children:
            os.kill(child, signal.SIGKILL)
        with pytest.raises(ConnectionLostError):
            await finish(process)
        with pytest.raises(RemoteError, match="Nothing listens there"):
            await carrier.start("true")
        assert carrier.state is PoolState.FAILED


@pytest.mark.whole
async def test_one_session_of_the_server_is_shared_in_turn(tmp_path: Path) -> None:
    server = start_openssh(tmp_path / "sshd", ["MaxSessions 1"])
    try:
        async with open_system_ssh(server.ssh_command) as carrier:
            outputs: list[Output] = await asyncio.gather(*(run(carrier, f"echo {n}; exit {n}") for n in range(5)))
            assert [output.status for output in outputs] == [ExitStatus(code=n) for n in range(5)]
            held = await carrier.start("cat")
            waiting = asyncio.ensure_future(run(carrier, "echo mine"))
            done, _ = await asyncio.wait({waiting}, timeout=0.3)
            assert not done
            held.write_eof()
            assert (await waiting).stdout == b"mine\n"
        assert logins(server) == 1
    finally:
        server.stop()


@pytest.mark.whole
async def test_a_channel_is_let_go_of_when_nobody_waits_for_it(openssh: SshServer) -> None:
    async with DelayProxy(openssh.port, 0.1) as proxy, open_system_ssh(through(openssh, proxy)) as carrier:
        await carrier.connect()
        for _ in range(3):
            starting = asyncio.ensure_future(carrier.start("exec sleep 100"))
            await asyncio.sleep(0.05)
            starting.cancel()
        connection = carrier._connection
        assert connection is not None
        assert await until(lambda: connection.channels == 0)
        assert (await run(carrier, "echo well")).stdout == b"well\n"


@pytest.mark.whole
async def test_a_transfer_has_one_channel(openssh: SshServer) -> None:
    async with open_system_ssh(openssh.ssh_command) as carrier:
        first = await carrier.start_transfer("cat")
        with pytest.raises(ChannelError, match="in one piece"):
            await carrier.start_transfer("cat", further=True)
        first.close()


@pytest.mark.whole
async def test_environment_of_the_configuration_is_asked_for(openssh: SshServer, tmp_path: Path) -> None:
    text = openssh.ssh_command_with("-o", "SetEnv=PYBRIDGE_TEST_A=1")
    async with open_system_ssh(text) as carrier:
        assert (await run(carrier, "echo $PYBRIDGE_TEST_A")).stdout == b"1\n"


async def test_the_users_configuration_applies_in_full(openssh: SshServer, tmp_path: Path) -> None:
    """An alias, a `Match exec`, a jump host by another alias, and a command that would be in the way."""
    here = f"HostName 127.0.0.1\n  Port {openssh.port}\n  User {openssh.user}\n"
    (tmp_path / "config").write_text(
        f"Host far\n  {here}  ProxyJump hop\n  RemoteCommand echo no\n  LocalCommand true\n"
        f"Host hop\n  {here}"
        f"Match host 127.0.0.1 exec true\n  IdentityFile {openssh.key}\n  IdentityAgent none\n"
        f"Host *\n  UserKnownHostsFile {openssh.known_hosts}\n  RequestTTY force\n"
    )
    text = f"ssh -F {tmp_path / 'config'} -t -v far"
    before = logins(openssh)
    async with open_system_ssh(text) as carrier:
        assert await run(carrier, "echo there; echo apart >&2") == Output(b"there\n", b"apart\n", ExitStatus(code=0))
        assert [hop.port for hop in carrier.target.jumps] == [openssh.port]
    assert logins(openssh) - before == 2


def test_a_remote_has_the_same_name_over_either_transport(openssh: SshServer, tmp_path: Path) -> None:
    """So its mirror and its sessions are found again."""
    (tmp_path / "config").write_text("Host far\n  HostName 10.0.0.1\n  User me\n  ProxyJump you@hop:2222\n")
    for text in (openssh.ssh_command, f"-F {tmp_path / 'config'} far", f"-F {tmp_path / 'config'} -p 99 other@far"):
        ours, theirs = resolve_target(parse_ssh_command(text)), ask_ssh(read_command_line(text)).target
        assert (theirs.slug, str(theirs)) == (ours.slug, str(ours))


@pytest.mark.parametrize(
    ("program", "part"),
    [("/nowhere/ssh", "is not there"), ("{tmp}/ssh", "OpenSSH's own client only"), ("{old}/ssh", "7.4 or newer")],
)
def test_an_ssh_that_cannot_be_used_is_refused(tmp_path: Path, program: str, part: str) -> None:
    for folder, said in (("tmp", "Dropbear v2022.83"), ("old", "OpenSSH_6.6.1p1")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "ssh").write_text(f"#!/bin/sh\necho {said} >&2\n")
        (tmp_path / folder / "ssh").chmod(0o755)
    program = program.format(tmp=tmp_path / "tmp", old=tmp_path / "old")
    with pytest.raises(ConfigurationError, match=part) as error:
        ask_ssh(read_command_line(f"{program} box"))
    assert error.value.next_step


def test_a_path_without_ssh_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="'ssh', which is not there") as error:
        ask_ssh(read_command_line("box"))
    assert "leave REMOTE_TRANSPORT out" in str(error.value)


CLIENT = """
import asyncio, sys
from tests.kit.pools import open_system_ssh

async def main():
    async with open_system_ssh(sys.argv[1]) as carrier:
        process = await carrier.start("echo begun; exec cat")
        await process.read()
        print("begun", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_law7_nothing_is_left_when_the_process_is_killed(openssh: SshServer, sockets: Path) -> None:
    """Neither the ssh process nor its socket; the connections are looked at on the server."""
    before = set(openssh.connections())
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CLIENT, openssh.ssh_command), stdout=asyncio.subprocess.PIPE
    )
    assert client.stdout is not None
    assert await client.stdout.readline() == b"begun\n"
    assert [path.name.startswith(PREFIX) for path in sockets.iterdir()] == [True]
    assert set(openssh.connections()) > before
    client.kill()
    await client.wait()
    assert await until(lambda: not list(sockets.iterdir()))
    assert await until(lambda: set(openssh.connections()) <= before)


@pytest.mark.whole
async def test_a_host_works_where_a_connection_takes_two_sessions(tmp_path: Path) -> None:
    server = start_openssh(tmp_path / "sshd", ["MaxSessions 2"])
    (tmp_path / "seen").write_text("needle\n")
    try:
        async with open_system_ssh(server.ssh_command) as carrier:
            host = await Host.connect(carrier, HostOptions(str(tmp_path), login=False))

            async def write() -> None:
                await host.files.apply([Change(str(tmp_path / "large"), ABSENT, bytes(700_000))])

            commands = (host.run(Command("true", str(tmp_path))) for _ in range(4))
            reading = asyncio.ensure_future(host.files.fetch_one(str(tmp_path / "seen")))
            await asyncio.gather(reading, write(), *commands)
            assert (await reading).content == b"needle\n"
            assert (tmp_path / "large").stat().st_size == 700_000
            await host.close()
        assert logins(server) == 1
    finally:
        server.stop()
