"""Options about the connection itself, each seen at a real server or from the other end of the socket."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from pybridge.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    ConnectionRefusedByHostError,
    HostKeyError,
)
from pybridge.transport import tcp
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.local_addresses import local_addresses
from pybridge.transport.proxy_command import ProxyCommand
from pybridge.transport.tcp import TcpOptions, open_tcp
from tests.kit.pools import open_pool, run, until
from tests.kit.sshd import SshServer, free_port, make_key

LOOPBACK = next(name for name, address in local_addresses() if address == "127.0.0.1")

SENDS_SOCKET = """
import array, socket, sys
target = socket.create_connection((sys.argv[1], int(sys.argv[2])))
channel = socket.socket(fileno=1)
channel.sendmsg([b"\\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [target.fileno()]))])
"""


@pytest.fixture
def listener() -> socket.socket:
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server


async def test_small_packets_are_not_held_back(openssh: SshServer) -> None:
    """TCP_NODELAY: a request does not wait for the acknowledgement of the one before."""
    async with open_pool(openssh.ssh_command) as pool:
        await pool.connect()
        await pool.start_transfer("true")
        links = [link for group in pool._groups.values() for link in group.links]
        sockets = [link.connection.get_extra_info("socket") for link in links]
        assert [bool(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) for s in sockets] == [True, True]


async def test_the_address_to_come_from(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with listener, await open_tcp("127.0.0.1", port, TcpOptions(bind_address="127.0.0.7")):
        assert listener.accept()[1][0] == "127.0.0.7"


async def test_the_interface_to_come_from(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with listener, await open_tcp("127.0.0.1", port, TcpOptions(bind_interface=LOOPBACK)):
        assert listener.accept()[1][0] == "127.0.0.1"


async def test_an_interface_that_is_not_there_is_named(listener: socket.socket) -> None:
    with listener, pytest.raises(ConfigurationError, match="BindInterface nowhere0") as caught:
        await open_tcp("127.0.0.1", listener.getsockname()[1], TcpOptions(bind_interface="nowhere0"))
    assert LOOPBACK in str(caught.value.next_step)


async def test_the_service_class_is_set(listener: socket.socket) -> None:
    with listener, await open_tcp("127.0.0.1", listener.getsockname()[1], TcpOptions(service_class=0x48)) as ours:
        assert ours.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0x48


async def test_a_further_attempt_reaches_a_server_that_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    outcomes: list[object] = []
    race = tcp._race

    async def watched(*arguments: Any) -> socket.socket | list[OSError]:
        outcomes.append(await race(*arguments))
        return outcomes[-1]  # type: ignore[return-value]

    monkeypatch.setattr(tcp, "_race", watched)
    with pytest.raises(ConnectionRefusedByHostError):
        await open_tcp("127.0.0.1", port)
    late = asyncio.create_task(open_tcp("127.0.0.1", port, TcpOptions(attempts=60)))
    assert await until(lambda: len(outcomes) > 1)
    with socket.create_server(("127.0.0.1", port)):
        (await late).close()


async def test_proxy_command_through_pipes() -> None:
    """As on Windows, where a socket cannot be a standard stream."""
    code = "import os\nwhile data := os.read(0, 65536): os.write(1, data)"
    proxy = await ProxyCommand.start(f'"{sys.executable}" -c "{code}"', through_pipes=True)
    loop = asyncio.get_running_loop()
    content = bytes(range(256)) * 8192
    sending = asyncio.create_task(loop.sock_sendall(proxy.socket, content))
    received = bytearray()
    while len(received) < len(content):
        received += await loop.sock_recv(proxy.socket, 65536)
    await sending
    assert received == content
    proxy.socket.close()
    await proxy.wait_closed()  # It reads the end of its input.


async def test_proxy_command_that_sends_a_socket(openssh: SshServer, tmp_path: Path) -> None:
    program = tmp_path / "send.py"
    program.write_text(SENDS_SOCKET)
    options = ("-o", f"ProxyCommand={sys.executable} {program} %h %p", "-o", "ProxyUseFdpass=yes")
    async with open_pool(openssh.ssh_command_with(*options)) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"


async def test_proxy_command_that_sends_nothing(openssh: SshServer) -> None:
    options = ("-o", "ProxyCommand=echo no way through >&2", "-o", "ProxyUseFdpass=yes")
    async with open_pool(openssh.ssh_command_with(*options)) as pool:
        with pytest.raises(ConnectError, match="ended without a connection.*no way through"):
            await pool.connect()


async def test_new_keys_are_made_while_data_flows(openssh: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    make = asyncssh.connection.SSHConnection._send_kexinit

    def watched(connection: asyncssh.SSHClientConnection) -> None:
        made.append(connection)
        make(connection)

    monkeypatch.setattr(asyncssh.connection.SSHConnection, "_send_kexinit", watched)
    for option, expected in (("RekeyLimit=64K", True), ("RekeyLimit=default", False)):
        made.clear()
        async with open_pool(openssh.ssh_command_with("-o", option)) as pool:
            assert (await run(pool, "head -c 1000000 | wc -c", stdin=bytes(1_000_000))).stdout.strip() == b"1000000"
        assert (len(made) > 3) is expected


async def test_a_short_rsa_host_key_is_refused(openssh: SshServer) -> None:
    options = ("-o", "HostKeyAlgorithms=rsa-sha2-512", "-o", "RequiredRSASize=8192")
    async with open_pool(openssh.ssh_command_with(*options)) as pool:
        with pytest.raises(HostKeyError, match=r"has \d+ bits only; RequiredRSASize is 8192"):
            await pool.connect()


async def test_a_short_rsa_key_is_passed_over(openssh: SshServer, tmp_path: Path) -> None:
    short = make_key(tmp_path / "short", "rsa", bits=2048)
    text = openssh.ssh_command_with("-o", "RequiredRSASize=3072", key=short)
    async with open_pool(text) as pool:
        with pytest.raises(AuthenticationError, match="RSA key of 2048 bits; 3072 are required"):
            await pool.connect()
