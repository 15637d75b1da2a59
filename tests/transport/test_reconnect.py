"""Links that die, silently or not, servers that restart, names that lead elsewhere: the pool finds its way back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.errors import (
    AuthenticationError,
    ConnectionLostError,
    ConnectionRefusedByHostError,
    HostKeyChangedError,
    RemoteError,
)
from pybridge.transport import backoff, connect, patient_connector, pulse
from pybridge.transport.pulse import Pulse
from pybridge.transport.ssh_pool import PoolState, SshPool
from tests.kit import figures
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.pools import finish, open_pool, run, through, until
from tests.kit.sleeping import Sleep
from tests.kit.sshd import SshServer, start_openssh

READY, LOST, AGAIN, FAILED = PoolState.READY, PoolState.LOST, PoolState.RECONNECTING, PoolState.FAILED


@pytest.fixture
def sleep(monkeypatch: pytest.MonkeyPatch) -> Sleep:
    """The machine sleeps when it is called."""
    return Sleep(monkeypatch)


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[Pulse]:
    """Every question to a link, as it is asked."""
    asked: list[Pulse] = []
    ask = Pulse._await_answer

    async def counted(self: Pulse) -> None:
        asked.append(self)
        await ask(self)

    monkeypatch.setattr(Pulse, "_await_answer", counted)
    return asked


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Links that are dead anyway are given up sooner."""
    monkeypatch.setattr(pulse, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(pulse, "WAITED_SECONDS", 1.0)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other sooner."""
    monkeypatch.setattr(backoff, "FIRST_PAUSE", 0.125)
    monkeypatch.setattr(backoff, "LONGEST_PAUSE", 1.0)
    monkeypatch.setattr(patient_connector, "_RECONNECT_SECONDS", 1.0)


class Watched:
    """A pool behind a proxy, and the states it told."""

    def __init__(self, proxy: DelayProxy) -> None:
        self.proxy = proxy
        self.states: list[PoolState] = []
        self.errors: list[RemoteError] = []
        self.pool: SshPool

    def note(self, state: PoolState, error: RemoteError | None) -> None:
        self.states.append(state)
        if error is not None:
            self.errors.append(error)


@pytest.fixture
async def watched(openssh: SshServer) -> AsyncIterator[Watched]:
    async with DelayProxy(openssh.port, 0) as proxy:
        watched = Watched(proxy)
        async with open_pool(through(openssh, proxy), on_state=watched.note, command_size=1) as watched.pool:
            yield watched


@pytest.mark.usefixtures("impatient")
async def test_after_a_sleep_a_link_that_is_dead_is_replaced_by_the_first_call(watched: Watched, sleep: Sleep) -> None:
    await run(watched.pool, "true")
    watched.proxy.forsake()
    sleep()
    assert (await run(watched.pool, "echo awake")).stdout == b"awake\n"
    assert watched.states == [READY, LOST, AGAIN, READY]
    assert "does not answer" in str(watched.errors[0])
    assert watched.proxy.connections == 2


async def test_after_a_sleep_a_link_that_answers_is_used_on(
    watched: Watched, sleep: Sleep, questions: list[Pulse]
) -> None:
    await run(watched.pool, "true")
    sleep()
    assert (await run(watched.pool, "echo awake")).stdout == b"awake\n"
    assert watched.states == [READY]
    assert (watched.proxy.connections, len(questions)) == (1, 1)


async def test_dropbear_answers_too(dropbear: SshServer, sleep: Sleep, questions: list[Pulse]) -> None:
    states: list[PoolState] = []
    async with open_pool(dropbear.ssh_command, on_state=lambda state, error: states.append(state)) as pool:
        await run(pool, "true")
        sleep()
        assert (await run(pool, "echo awake")).stdout == b"awake\n"
    assert (states, len(questions)) == ([READY], 1)


@pytest.mark.parametrize("dead", [False, True])
async def test_through_a_jump_host(
    openssh: SshServer, tmp_path: Path, sleep: Sleep, dead: bool, request: pytest.FixtureRequest
) -> None:
    """What comes through one is heard too, and what does not is replaced together with it."""
    async with DelayProxy(openssh.port, 0) as proxy:
        known = tmp_path / "known"
        keys = openssh.known_hosts.read_text()
        known.write_text(keys + keys.replace(f":{openssh.port} ", f":{proxy.port} "))
        config = tmp_path / "config"
        config.write_text(
            f"Host gate\n Port {proxy.port}\nHost far\n Port {openssh.port}\n ProxyJump gate\n"
            f"Host *\n HostName 127.0.0.1\n User {openssh.user}\n IdentityFile {openssh.key}\n IdentityAgent none\n"
            f" UserKnownHostsFile {known}\n"
        )
        async with open_pool(f"ssh -F {config} far") as pool:
            await run(pool, "true")
            if dead:
                request.getfixturevalue("impatient")
                proxy.forsake()
            sleep()
            assert (await run(pool, "echo awake")).stdout == b"awake\n"
            assert proxy.connections == 1 + dead


async def test_a_link_that_is_well_is_never_asked(watched: Watched, questions: list[Pulse]) -> None:
    """No round trip for it, idle or not."""
    for _ in range(20):
        await run(watched.pool, "true")
    await asyncio.gather(*(run(watched.pool, "true") for _ in range(20)))
    assert questions == []


@pytest.mark.usefixtures("impatient")
async def test_a_link_is_looked_at_after_a_sleep_though_nobody_calls(
    watched: Watched, sleep: Sleep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the badge is right, and the next call need not wait for it."""
    monkeypatch.setattr(pulse, "LONGEST_SILENCE", 0.2)
    monkeypatch.setattr(pulse, "LOOK_SECONDS", 0.1)
    await run(watched.pool, "true")
    watched.proxy.forsake()
    sleep()
    assert await until(lambda: watched.states == [READY, LOST])
    assert (await run(watched.pool, "echo awake")).stdout == b"awake\n"


@pytest.mark.usefixtures("impatient")
async def test_what_runs_on_a_silent_link_goes_on_when_that_comes_back(watched: Watched, sleep: Sleep) -> None:
    """A network that takes its time after a sleep must end no command; others have a new connection meanwhile."""
    process = await watched.pool.start("read line; echo $line")
    back = watched.proxy.forsake()
    sleep()
    assert (await run(watched.pool, "echo other")).stdout == b"other\n"
    assert watched.proxy.connections == 2
    back.set()
    await process.write(b"still here\n")
    assert (await finish(process)).stdout == b"still here\n"


@pytest.mark.usefixtures("impatient")
async def test_a_silent_link_that_comes_back_is_used_again(watched: Watched, sleep: Sleep) -> None:
    """The state says so, without a call; a connection under way is not waited for."""
    await run(watched.pool, "true")
    watched.proxy.stall()
    sleep()
    calling = asyncio.create_task(run(watched.pool, "echo back"))
    assert await until(lambda: watched.states == [READY, LOST, AGAIN])
    watched.proxy.resume()
    assert (await calling).stdout == b"back\n"
    assert await until(lambda: watched.pool.state is READY)


async def test_a_silent_link_ends_by_its_keep_alives(openssh: SshServer) -> None:
    """Every wait has an end: what runs there learns of it, and a change of mind of the network comes too late."""
    async with DelayProxy(openssh.port, 0) as proxy:
        command = through(openssh, proxy).replace(" -p ", " -o ServerAliveInterval=1 -o ServerAliveCountMax=2 -p ")
        async with open_pool(command) as pool:
            process = await pool.start("cat")
            proxy.forsake()
            with pytest.raises(ConnectionLostError):
                await process.wait_exit()
            assert (await run(pool, "echo again")).stdout == b"again\n"


@pytest.mark.usefixtures("impatient")
async def test_a_channel_is_not_waited_for_on_a_link_that_dies_meanwhile(watched: Watched) -> None:
    """Nobody slept: the link is asked while the start waits, and given up."""
    await run(watched.pool, "true")
    watched.proxy.forsake()
    with pytest.raises(ConnectionLostError):
        await watched.pool.start("true")
    assert watched.states[:2] == [READY, LOST]
    assert (await run(watched.pool, "echo again")).stdout == b"again\n"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[SshServer]:
    """A server that may be killed."""
    server = start_openssh(tmp_path / "server", ["MaxStartups 50"])
    yield server
    server.stop()


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The host of every TCP connection that is tried."""
    tried: list[str] = []
    open_tcp = connect.open_tcp

    async def counted(host: str, *rest: Any) -> socket.socket:
        tried.append(host)
        return await open_tcp(host, *rest)

    monkeypatch.setattr(connect, "open_tcp", counted)
    return tried


@pytest.mark.usefixtures("hurried")
async def test_a_server_that_restarts(own: SshServer, attempts: list[str], request: pytest.FixtureRequest) -> None:
    """While it is away every call ends with a true error after a few attempts; the first one after that succeeds."""
    states: list[PoolState] = []
    async with open_pool(own.ssh_command, on_state=lambda state, error: states.append(state)) as pool:
        process = await pool.start("cat")
        await asyncio.to_thread(own.kill)
        with pytest.raises(ConnectionLostError):
            await process.wait_exit()
        assert await until(lambda: pool.state is LOST)
        del attempts[:]
        tried = []
        for _ in range(3):
            with pytest.raises(ConnectionRefusedByHostError, match="may be restarting"):
                await pool.start("true")
            tried.append(len(attempts))
            del attempts[:]
        # The first call tries until the pauses are long; the others come after such a pause, and try once.
        assert tried[0] in (2, 3, 4)
        assert tried[1:] == [1, 1]
        assert states == [READY, LOST, AGAIN, FAILED, AGAIN, FAILED, AGAIN, FAILED]
        await asyncio.to_thread(own.start_again)
        assert (await run(pool, "echo back")).stdout == b"back\n"
        assert len(attempts) == 1
        assert states[-2:] == [AGAIN, READY]
    figures.tell(request, "reconnect", "server killed, calls while it is away", 3)


async def test_a_short_restart_is_not_noticed_by_a_call(own: SshServer) -> None:
    async with open_pool(own.ssh_command) as pool:
        await run(pool, "true")
        await asyncio.to_thread(own.kill)
        calling = asyncio.create_task(run(pool, "echo back"))
        assert await until(lambda: pool.state is AGAIN)
        await asyncio.to_thread(own.start_again)
        assert (await calling).stdout == b"back\n"


@pytest.mark.usefixtures("hurried")
async def test_many_calls_at_once_share_the_attempts(own: SshServer, attempts: list[str]) -> None:
    async with open_pool(own.ssh_command) as pool:
        await run(pool, "true")
        await asyncio.to_thread(own.kill)
        assert await until(lambda: pool.state is LOST)
        del attempts[:]
        outcomes = await asyncio.gather(*(pool.start("true") for _ in range(20)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {ConnectionRefusedByHostError}
        assert len(attempts) in (2, 3, 4)


async def test_a_login_that_is_refused_is_not_tried_again(tmp_path: Path) -> None:
    """Though it was good before: accounts lock."""
    async with (
        EmbeddedServer(tmp_path, password="old") as server,
        open_pool(server.ssh_command(), password="old") as pool,
    ):
        await run(pool, "true")
        server.password = "new"
        server.cut()
        assert await until(lambda: pool.state is LOST)
        for _ in range(3):
            with pytest.raises(AuthenticationError):
                await pool.start("true")
        assert server.passwords == ["old", "old"]


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the name moving.invalid leads to, under `address`."""
    entry = {"address": "127.0.0.1"}
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        asked_by_name = host == "moving.invalid" and not flags & socket.AI_NUMERICHOST
        return real(entry["address"] if asked_by_name else host, port, family, type, proto, flags)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return entry


def by_name(server: SshServer, *extra: str) -> str:
    """A value for REMOTE_SSH that reaches a server by the name; its key is known for the name only."""
    known = server.folder / "known_by_name"
    known.write_text(server.known_hosts.read_text().replace("[127.0.0.1]:", "[moving.invalid]:"))
    command = server.ssh_command_with(*extra, known_hosts=known)
    return command.replace("@127.0.0.1", "@moving.invalid")


def end_connections(server: SshServer) -> None:
    for pid in server.connections():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)


@pytest.mark.parametrize("check_ip", ["no", "yes"])
async def test_another_address_behind_the_same_name(tmp_path: Path, name: dict[str, str], check_ip: str) -> None:
    """The name is asked afresh; the key is known by the name, whatever the address."""
    server = start_openssh(tmp_path / "server", ["ListenAddress 127.0.0.2", "ListenAddress 127.0.0.3"])
    try:
        name["address"] = "127.0.0.2"
        async with open_pool(by_name(server, "-o", f"CheckHostIP={check_ip}")) as pool:
            for address in ("127.0.0.2", "127.0.0.3", "127.0.0.2"):
                name["address"] = address
                end_connections(server)
                await until(lambda: pool.state is not READY)
                said = (await run(pool, "echo $SSH_CONNECTION")).stdout.split()
                assert said[2].decode() == address
    finally:
        server.stop()


async def test_another_key_behind_the_same_name_is_refused(
    own: SshServer, tmp_path: Path, name: dict[str, str], attempts: list[str]
) -> None:
    """It is not asked for a password, nor tried again by the same call."""
    other = start_openssh(tmp_path / "other", [f"ListenAddress 127.0.0.3:{own.port}"])
    try:
        async with open_pool(by_name(own)) as pool:
            await run(pool, "true")
            name["address"] = "127.0.0.3"
            end_connections(own)
            assert await until(lambda: pool.state is LOST)
            del attempts[:]
            with pytest.raises(HostKeyChangedError):
                await pool.start("true")
            assert len(attempts) == 1
            assert "Accepted" not in other.log()
            name["address"] = "127.0.0.1"
            assert (await run(pool, "echo home")).stdout == b"home\n"
    finally:
        other.stop()


async def test_a_name_that_does_not_resolve_for_a_moment(
    own: SshServer, name: dict[str, str], attempts: list[str]
) -> None:
    """As right after a sleep: it is asked again."""
    async with open_pool(by_name(own)) as pool:
        await run(pool, "true")
        name["address"] = "nowhere.invalid"
        end_connections(own)
        assert await until(lambda: pool.state is LOST)
        del attempts[:]
        calling = asyncio.create_task(run(pool, "echo back"))
        assert await until(lambda: len(attempts) == 2)
        name["address"] = "127.0.0.1"
        assert (await calling).stdout == b"back\n"
