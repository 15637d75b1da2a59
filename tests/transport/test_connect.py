"""Connecting: authentication, jump hosts, and every way it can fail, each a typed error with a next step."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import socket
import sys
from pathlib import Path

import pytest

from pybridge.errors import (
    AlgorithmError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    ConnectionRefusedByHostError,
    ConnectTimeoutError,
    UnknownHostError,
)
from pybridge.transport.credentials import Credentials
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.counterparts import need
from tests.kit.pools import open_pool, run, until
from tests.kit.sshd import SshServer, call, free_port, make_key, start_openssh

SECRET = "pass word'\"£"


async def test_key_on_each_real_server(openssh: SshServer, dropbear: SshServer) -> None:
    for server in (openssh, dropbear):
        async with open_pool(server.ssh_command) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"


async def test_password(tmp_path: Path) -> None:
    async with (
        EmbeddedServer(tmp_path, password=SECRET) as server,
        open_pool(server.ssh_command(), password=SECRET) as pool,
    ):
        assert (await run(pool, "echo in")).stdout == b"in\n"
        assert server.passwords == [SECRET]


@pytest.mark.parametrize("prompt", ["Password: ", "Passwort:", "(tester@host) Password:", "密码："])
async def test_keyboard_interactive_is_answered_with_the_password(tmp_path: Path, prompt: str) -> None:
    async with (
        EmbeddedServer(
            tmp_path, password=SECRET, use_password=False, use_interactive=True, prompts=(prompt,)
        ) as server,
        open_pool(server.ssh_command(), password=SECRET) as pool,
    ):
        await pool.connect()
        assert server.answers == [[SECRET]]


@pytest.mark.parametrize("prompts", [("Verification code: ",), ("Password: ", "One-time code: ")])
async def test_a_second_factor_is_never_answered_with_the_password(tmp_path: Path, prompts: tuple[str, ...]) -> None:
    async with (
        EmbeddedServer(tmp_path, password=SECRET, use_password=False, use_interactive=True, prompts=prompts) as server,
        open_pool(server.ssh_command(), password=SECRET) as pool,
    ):
        with pytest.raises(AuthenticationError) as caught:
            await pool.connect()
        assert server.answers == []
        assert prompts[-1].strip() in str(caught.value)


async def test_a_wrong_password_is_sent_exactly_once(tmp_path: Path) -> None:
    async with (
        EmbeddedServer(tmp_path, password="right", use_interactive=True) as server,
        open_pool(server.ssh_command(), password=SECRET) as pool,
    ):
        for start in (lambda: pool.start("true"), lambda: pool.start("true", role="file"), pool.connect):
            with pytest.raises(AuthenticationError) as caught:
                await start()
            assert "REMOTE_PASSWORD" in str(caught.value)
            assert SECRET not in str(caught.value) + repr(caught.value)
        results = await asyncio.gather(*(pool.start("true") for _ in range(5)), return_exceptions=True)
        assert {type(result) for result in results} == {AuthenticationError}
        assert len(server.passwords) + len(server.answers) == 1
        assert server.connections == 1


async def test_parallel_first_starts_send_a_wrong_password_once(tmp_path: Path) -> None:
    async with (
        EmbeddedServer(tmp_path, password="right") as server,
        open_pool(server.ssh_command(), password=SECRET) as pool,
    ):
        starts = [pool.start("true", role=role) for role in ("command", "file", "command", "file")]
        results = await asyncio.gather(*starts, return_exceptions=True)
        assert {type(result) for result in results} == {AuthenticationError}
        assert server.passwords == [SECRET]


async def test_no_credentials_at_all_names_what_the_server_takes(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path, password="x") as server, open_pool(server.ssh_command()) as pool:
        with pytest.raises(AuthenticationError) as caught:
            await pool.connect()
        assert "password" in str(caught.value)
        assert "Set REMOTE_PASSWORD" in str(caught.value)
        assert server.passwords == []


async def test_a_password_is_not_shown_to_a_host_whose_key_changed(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path, password=SECRET, use_interactive=True) as server:
        other = make_key(tmp_path / "other").with_suffix(".pub").read_text().split()[:2]
        server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {' '.join(other)}\n")
        text = server.ssh_command().replace("StrictHostKeyChecking=yes", "StrictHostKeyChecking=no")
        async with open_pool(text, password=SECRET) as pool:
            with pytest.raises(AuthenticationError, match="host key has changed"):
                await pool.connect()
        assert server.passwords == [] and server.answers == []


async def test_encrypted_key(openssh: SshServer, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", passphrase=SECRET)
    authorized = openssh.folder / "authorized_keys"
    authorized.write_text(authorized.read_text() + key.with_suffix(".pub").read_text())
    text = openssh.ssh_command_with(key=key)
    async with open_pool(text, passphrase=SECRET) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"
    async with open_pool(text) as pool:
        with pytest.raises(AuthenticationError, match="REMOTE_KEY_PASSPHRASE"):
            await pool.connect()
    async with open_pool(text, passphrase="wrong") as pool:
        with pytest.raises(AuthenticationError, match="REMOTE_KEY_PASSPHRASE does not open it"):
            await pool.connect()


async def test_agent(openssh: SshServer, tmp_path: Path) -> None:
    path = Path("/tmp") / f"pybridge-agent-{os.getpid()}"  # A socket's path must be short.
    agent = await asyncio.create_subprocess_exec(
        need("ssh-agent"), "-D", "-a", str(path), stdout=asyncio.subprocess.DEVNULL
    )
    try:
        assert await until(path.exists)
        call(need("ssh-add"), "-q", str(openssh.key), environment={"SSH_AUTH_SOCK": str(path)})
        words = shlex.split(openssh.ssh_command)
        del words[words.index("-i") : words.index("-i") + 2]
        text = shlex.join(words).replace("IdentityAgent=none", f"IdentityAgent={path}")
        async with open_pool(text + " -oIdentityFile=none") as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
        public = tmp_path / "only_public.pub"
        public.write_text((openssh.folder / "user_key.pub").read_text())
        async with open_pool(f"{text} -oIdentitiesOnly=yes -i {public}") as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
        async with open_pool(f"{text} -oIdentitiesOnly=yes -oIdentityFile=none") as pool:
            with pytest.raises(AuthenticationError):
                await pool.connect()
    finally:
        agent.terminate()
        await agent.wait()


async def test_jump_hosts_each_verified(openssh: SshServer, tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path, authorized=(openssh.folder / "user_key.pub",)) as far:
        config = tmp_path / "config"
        known = tmp_path / "known"
        known.write_text(openssh.known_hosts.read_text() + far.known_hosts.read_text())
        config.write_text(
            f"Host gate second\n HostName 127.0.0.1\n Port {openssh.port}\n User {openssh.user}\n"
            f"Host far\n HostName 127.0.0.1\n Port {far.port}\n User {far.user}\n ProxyJump gate,second\n"
            f"Host *\n IdentityFile {openssh.key}\n IdentityAgent none\n UserKnownHostsFile {known}\n"
        )
        async with open_pool(f"ssh -F {config} far") as pool:
            output = await run(pool, 'echo "$SSH_CLIENT"')
            assert output.status.code == 0
        assert far.connections == 1
        known.write_text(far.known_hosts.read_text())
        async with open_pool(f"ssh -F {config} far") as pool:
            with pytest.raises(ConnectError, match=r"host key of .*is not known"):
                await pool.connect()
        assert far.connections == 1


async def test_jump_host_that_cannot_reach_the_target(openssh: SshServer, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"Host gate\n HostName 127.0.0.1\n Port {openssh.port}\n User {openssh.user}\n"
        f"Host far\n HostName 127.0.0.1\n Port {free_port()}\n ProxyJump gate\n"
        f"Host *\n IdentityFile {openssh.key}\n IdentityAgent none\n UserKnownHostsFile {openssh.known_hosts}\n"
    )
    async with open_pool(f"ssh -F {config} far") as pool:
        with pytest.raises(ConnectError, match="jump host could not reach"):
            await pool.connect()


async def test_proxy_command(openssh: SshServer, tmp_path: Path) -> None:
    relay = tmp_path / "relay.py"
    relay.write_text(
        "import socket, sys, threading, os\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while data := os.read(0, 65536): s.sendall(data)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := s.recv(65536): os.write(1, data)\n"
    )
    text = openssh.ssh_command_with("-o", f"ProxyCommand={sys.executable} {relay} %h %p")
    async with open_pool(text) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"
    text = openssh.ssh_command_with("-o", "ProxyCommand=echo no way through >&2; exit 1")
    async with open_pool(text) as pool:
        with pytest.raises(ConnectError, match="no way through"):
            await pool.connect()


async def test_nothing_listens(openssh: SshServer) -> None:
    port = free_port()
    async with open_pool(openssh.ssh_command_with(port=port)) as pool:
        with pytest.raises(ConnectionRefusedByHostError, match=str(port)):
            await pool.connect()


async def test_unknown_host() -> None:
    async with open_pool("ssh -F none nobody@no-such-host.invalid") as pool:
        with pytest.raises(UnknownHostError, match=r"no-such-host\.invalid"):
            await pool.connect()


async def test_a_host_that_never_answers(openssh: SshServer) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        text = openssh.ssh_command_with("-oConnectTimeout=1", port=silent.getsockname()[1])
        async with open_pool(text) as pool:
            with pytest.raises(ConnectTimeoutError, match=r"within 1 s.*negotiating"):
                await pool.connect()


async def test_something_that_is_not_ssh(openssh: SshServer) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 100_000)
        with contextlib.suppress(OSError):
            await writer.drain()
        writer.close()

    web = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with web, open_pool(openssh.ssh_command_with(port=web.sockets[0].getsockname()[1])) as pool:
        with pytest.raises(ConnectError) as caught:
            await pool.connect()
        assert caught.value.next_step


@pytest.mark.whole
@pytest.mark.parametrize(
    ("line", "keyword", "name"),
    [
        ("KexAlgorithms diffie-hellman-group1-sha1", "KexAlgorithms", "diffie-hellman-group1-sha1"),
        ("Ciphers aes128-cbc", "Ciphers", "aes128-cbc"),
        ("MACs hmac-md5\nCiphers aes128-ctr", "MACs", "hmac-md5"),
        ("HostKeyAlgorithms ssh-rsa", "HostKeyAlgorithms", "ssh-rsa"),
    ],
)
async def test_old_algorithms_are_named_with_the_option_that_allows_them(
    tmp_path: Path, line: str, keyword: str, name: str
) -> None:
    server = start_openssh(tmp_path / "server", line.splitlines())
    try:
        async with open_pool(server.ssh_command) as pool:
            with pytest.raises(AlgorithmError) as caught:
                await pool.connect()
        option = f"-o{keyword}=+{name}"
        assert option in str(caught.value)
        async with open_pool(server.ssh_command_with(*shlex.split(option))) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
    finally:
        server.stop()


async def test_algorithms_that_do_not_exist(openssh: SshServer) -> None:
    async with open_pool(openssh.ssh_command_with("-oCiphers=rot13")) as pool:
        with pytest.raises(ConfigurationError, match="Ciphers=rot13"):
            await pool.connect()


async def test_compression_and_environment(openssh: SshServer) -> None:
    async with open_pool(openssh.ssh_command_with("-C", "-oSetEnv=PYBRIDGE_TEST_A=1")) as pool:
        assert (await run(pool, 'echo "$PYBRIDGE_TEST_A"')).stdout == b"1\n"


def test_credentials_do_not_show() -> None:
    credentials = Credentials(password=SECRET, key_passphrase=SECRET)
    assert SECRET not in repr(credentials) + str(credentials)
