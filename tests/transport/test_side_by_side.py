"""Connections made at the same time: for a crowd, with a key that was accepted, and never so that it can do harm."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.ssh_pool import SshPool
from tests.kit.agent import running_agent, with_agent
from tests.kit.password_login import attempts, start_openssh_with_password, without_keys
from tests.kit.pools import open_pool, run, through, until
from tests.kit.sshd import SshServer, start_openssh


@dataclass
class Attempts:
    """The attempts to connect that a pool has made: `most` of them at the same time."""

    unattended: list[bool] = field(default_factory=list)
    under_way: int = 0
    most: int = 0


def watch(pool: SshPool) -> Attempts:
    """Count the attempts that the pool makes from now on."""
    seen = Attempts()
    connect = pool._connector.open

    async def open_and_count(*, unattended: bool = False) -> asyncssh.SSHClientConnection:
        seen.unattended.append(unattended)
        seen.under_way += 1
        seen.most = max(seen.most, seen.under_way)
        try:
            return await connect(unattended=unattended)
        finally:
            seen.under_way -= 1

    pool._connector.open = open_and_count
    return seen


@contextlib.asynccontextmanager
async def crowd(pool: SshPool, count: int) -> AsyncIterator[None]:
    """So many processes at once, all of them running in the body."""
    processes = await asyncio.wait_for(asyncio.gather(*(pool.start("cat") for _ in range(count))), 30)
    yield
    for process in processes:
        process.close()


async def test_a_crowd_has_its_connections_made_side_by_side(openssh: SshServer) -> None:
    async with open_pool(openssh.ssh_command, command_size=3) as pool:
        seen = watch(pool)
        await pool.connect()
        async with crowd(pool, 30):
            assert seen.most == 2
            assert seen.unattended[:3] == [False, True, True]
            assert len(pool._groups["command"].links) == 3


@pytest.mark.parametrize(("count", "connections"), [(11, 2), (20, 2), (21, 3), (31, 4)])
async def test_no_more_of_them_than_those_who_wait_need(openssh: SshServer, count: int, connections: int) -> None:
    async with open_pool(openssh.ssh_command, command_size=6) as pool:
        await pool.connect()
        async with crowd(pool, count):
            assert len(pool._groups["command"].links) == connections


async def test_where_the_server_allows_few_channels_those_who_wait_need_more(tmp_path: Path) -> None:
    server = start_openssh(tmp_path, ["MaxSessions 2"])
    try:
        async with open_pool(server.ssh_command, command_size=4) as pool:
            async with crowd(pool, 3):
                pass
            seen = watch(pool)
            async with crowd(pool, 8):
                assert len(pool._groups["command"].links) == 4
            assert seen.most >= 2
    finally:
        server.stop()


async def test_the_first_connection_is_made_alone(openssh: SshServer) -> None:
    async with open_pool(openssh.ssh_command) as pool:
        seen = watch(pool)
        starting = asyncio.gather(*(run(pool, "true") for _ in range(30)))
        assert await until(lambda: bool(seen.unattended))
        while not pool._links():
            assert len(seen.unattended) == 1
            await asyncio.sleep(0)
        await starting


async def test_after_a_loss_the_first_one_is_made_alone_again(openssh: SshServer) -> None:
    async with DelayProxy(openssh.port, 0) as proxy, open_pool(through(openssh, proxy)) as pool:
        await pool.connect()
        assert pool._may_overlap()
        proxy.cut()
        assert await until(lambda: not pool._links())
        seen = watch(pool)
        starts = [pool.start("true", role=role) for role in ("command", "file") for _ in range(15)]
        starting = asyncio.gather(*starts)
        while not pool._links():
            assert seen.under_way <= 1
            await asyncio.sleep(0)
        assert seen.unattended[0] is False
        await starting


async def test_with_a_stagger_they_are_made_one_after_another(openssh: SshServer) -> None:
    async with open_pool(openssh.ssh_command, stagger_ms=10) as pool:
        seen = watch(pool)
        async with crowd(pool, 30):
            assert seen.most == 1 and not any(seen.unattended)


async def test_with_a_password_they_are_made_one_after_another(tmp_path: Path) -> None:
    server = start_openssh_with_password(tmp_path, "the right one", ["PasswordAuthentication yes"])
    try:
        async with open_pool(without_keys(server), password="the right one") as pool:
            seen = watch(pool)
            async with crowd(pool, 30):
                assert seen.most == 1 and not any(seen.unattended)
        assert attempts(server) == ["Accepted"] * len(seen.unattended)
    finally:
        server.stop()


async def test_with_a_second_step_they_are_made_one_after_another(tmp_path: Path) -> None:
    """A question that asks nothing here may be one on the user's telephone."""
    options = ["AuthenticationMethods publickey,keyboard-interactive", "KbdInteractiveAuthentication yes"]
    server = start_openssh_with_password(tmp_path, "the right one", options)
    try:
        async with open_pool(server.ssh_command, password="the right one") as pool:
            seen = watch(pool)
            async with crowd(pool, 30):
                assert seen.most == 1 and not any(seen.unattended)
    finally:
        server.stop()


async def test_with_a_proxy_command_they_are_made_one_after_another(openssh: SshServer, tmp_path: Path) -> None:
    """It may ask whom it likes."""
    relay = tmp_path / "relay.py"
    relay.write_text(
        "import socket,sys,threading,os\n"
        f"s=socket.create_connection(('127.0.0.1',{openssh.port}))\n"
        "def up():\n"
        " while d:=os.read(0,65536): s.sendall(d)\n"
        "threading.Thread(target=up,daemon=True).start()\n"
        "while d:=s.recv(65536): os.write(1,d)\n"
    )
    command = shlex.join([sys.executable, str(relay)])
    async with open_pool(openssh.ssh_command_with("-o", f"ProxyCommand={command}")) as pool:
        seen = watch(pool)
        async with crowd(pool, 21):
            assert seen.most == 1 and not any(seen.unattended)


@pytest.mark.parametrize(("seconds", "side_by_side"), [(0.0, True), (0.5, False)])
async def test_an_agent_that_takes_its_time_may_have_asked(
    openssh: SshServer, monkeypatch: pytest.MonkeyPatch, seconds: float, side_by_side: bool
) -> None:
    sign = asyncssh.SSHAgentKeyPair.sign_async

    async def slowly(pair: Any, data: bytes) -> bytes:
        await asyncio.sleep(seconds)
        return await sign(pair, data)

    monkeypatch.setattr(asyncssh.SSHAgentKeyPair, "sign_async", slowly)
    with running_agent() as agent:
        agent.add(openssh.key)
        async with open_pool(with_agent(openssh.ssh_command, agent.path)) as pool:
            await pool.connect()
            assert pool._may_overlap() is side_by_side


async def test_a_server_that_drops_them_has_them_one_after_another(tmp_path: Path) -> None:
    server = start_openssh(tmp_path, ["MaxStartups 1", "MaxSessions 1"])
    try:
        async with open_pool(server.ssh_command, command_size=4) as pool:
            await pool.connect()
            seen = watch(pool)
            async with crowd(pool, 4):
                assert seen.most >= 2
                assert not pool._may_overlap()
            dropped = seen.unattended.index(False)
            assert not any(seen.unattended[dropped:])
    finally:
        server.stop()


async def test_a_key_that_is_accepted_no_more_sends_a_wrong_password_once(tmp_path: Path) -> None:
    """Connections that are made side by side say nothing but the key: the password is sent by one of those after."""
    server = start_openssh_with_password(tmp_path, "the right one", ["PasswordAuthentication yes"])
    try:
        async with open_pool(server.ssh_command, password="a wrong one") as pool:
            seen = watch(pool)
            await pool.connect()
            (tmp_path / "authorized_keys").write_text("")
            starting = [asyncio.ensure_future(pool.start("sleep 2")) for _ in range(30)]
            assert await until(lambda: len(seen.unattended) >= 4 and not seen.under_way)
            assert seen.unattended[:3] == [False, True, True] and not any(seen.unattended[3:])
            for each in await asyncio.gather(*starting):  # the first connection serves them all
                each.close()
        assert attempts(server) == ["Failed"]
    finally:
        server.stop()
