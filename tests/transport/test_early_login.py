"""What is said before it is asked for: the round trips it saves, and that it costs no login that would do without."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.errors import AuthenticationError, ConnectError, ConnectTimeoutError
from pybridge.transport.ssh_pool import SshPool
from tests.kit.agent import running_agent, with_agent
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.pools import open_pool, rewrite_known_hosts, run
from tests.kit.sshd import SshServer, make_key

ROUND_TRIP = 0.1
ATTEMPTS = 3
SECRET = "secret"

NEGOTIATING = {"openssh": 2, "dropbear": 1}
"""Round trips until the keys are exchanged. OpenSSH's sshd sends its lists of algorithms when it has our version."""


@pytest.fixture(params=["openssh", "dropbear"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest) -> SshServer:
    return request.getfixturevalue(kind)


def authorize(server: SshServer, key: Path) -> None:
    public = key.with_name(f"{key.name}.pub").read_text()
    for path in (server.folder / "authorized_keys", server.home / ".ssh" / "authorized_keys"):
        if path.exists():
            path.write_text(path.read_text() + public)


async def trips(server: SshServer, text: str, again: bool = False, **options: Any) -> int:
    """The fewest round trips of the authentication in three attempts (a stalled machine can only raise a count);
    `again` for that of the next connection of the same pool."""
    fewest = 1 << 30
    for _ in range(ATTEMPTS):
        async with DelayProxy(server.port, ROUND_TRIP / 2) as proxy:
            known = rewrite_known_hosts(server.known_hosts, server.port, proxy)
            words = [word.replace(str(server.known_hosts), str(known)) for word in shlex.split(text)]
            words[words.index("-p") + 1] = str(proxy.port)
            async with open_pool(shlex.join(words), **options) as pool:
                if again:
                    await pool.connect()
                    await end_connections(pool)
                before = proxy.round_trips
                await pool.connect()
                fewest = min(fewest, proxy.round_trips - before)
    return fewest - NEGOTIATING["openssh" if "openssh" in server.folder.name else "dropbear"]


async def end_connections(pool: SshPool) -> None:
    for link in pool._links():
        link.connection.abort()
        await link.connection.wait_closed()


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="Linux has it")
async def test_answers_are_acknowledged_at_once(openssh: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """sshd holds its further answers back until then."""
    options: list[object] = []

    def note(self: object, *option: object) -> None:
        options.append(option)

    monkeypatch.setattr("asyncio.trsock.TransportSocket.setsockopt", note)
    async with open_pool(openssh.ssh_command) as pool:
        await pool.connect()
    assert (socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1) in options


async def test_the_named_key_is_signed_for_at_once(server: SshServer) -> None:
    assert await trips(server, server.ssh_command) == 1


async def test_a_second_named_key_is_signed_for_without_asking(server: SshServer, tmp_path: Path) -> None:
    words = shlex.split(server.ssh_command)
    words[words.index("-i") : words.index("-i")] = ["-i", str(make_key(tmp_path / "another"))]
    assert await trips(server, shlex.join(words)) == 2


async def test_a_key_of_the_configuration_waits_for_the_methods(server: SshServer, tmp_path: Path) -> None:
    words = shlex.split(server.ssh_command)
    del words[words.index("-i") : words.index("-i") + 2]
    words[-1:-1] = ["-o", f"IdentityFile={server.key}"]
    assert await trips(server, shlex.join(words)) == 2
    assert await trips(server, shlex.join(words), again=True) == 1


async def test_an_encrypted_key_is_opened_only_once_it_is_wanted(server: SshServer, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", passphrase=SECRET)
    authorize(server, key)
    text = server.ssh_command_with(key=key)
    assert await trips(server, text, passphrase=SECRET) == 3
    assert await trips(server, text, passphrase=SECRET, again=True) == 1


async def test_the_agent_is_asked_only_once_it_is_wanted(server: SshServer) -> None:
    with running_agent() as agent:
        agent.add(server.key)
        text = with_agent(server.ssh_command, agent.path, "-oIdentityFile=none")
        assert await trips(server, text) == 3
        assert await trips(server, text, again=True) == 1


@pytest.mark.parametrize(("key_kind", "bits"), [("rsa", 3072), ("ecdsa", 256)])
async def test_other_kinds_of_keys(server: SshServer, tmp_path: Path, key_kind: str, bits: int) -> None:
    # What the server takes of an RSA key it says along with its new keys.
    key = make_key(tmp_path / key_kind, kind=key_kind, bits=bits)
    authorize(server, key)
    assert await trips(server, server.ssh_command_with(key=key)) == 1


async def test_a_password_after_a_refused_key_is_sent_once(tmp_path: Path) -> None:
    for use_password in (True, False):
        async with (
            EmbeddedServer(
                tmp_path, password=SECRET, use_password=use_password, use_interactive=not use_password
            ) as server,
            open_pool(
                server.ssh_command("-i", str(make_key(tmp_path / f"key{use_password}"))), password=SECRET
            ) as pool,
        ):
            assert (await run(pool, "echo in")).stdout == b"in\n"
            assert (server.passwords, server.answers) == (([SECRET], []) if use_password else ([], [[SECRET]]))


async def test_each_key_is_offered_once(tmp_path: Path) -> None:
    keys = [make_key(tmp_path / name) for name in ("one", "two", "three")]
    options = [word for key in keys for word in ("-i", str(key))]
    unknown = make_key(tmp_path / "unknown").with_name("unknown.pub")
    async with EmbeddedServer(tmp_path, authorized=(unknown,)) as server:
        async with open_pool(server.ssh_command(*options)) as pool:
            with pytest.raises(AuthenticationError):
                await pool.connect()
        assert server.keys_offered == len(keys)


async def test_a_server_that_lets_anybody_in(tmp_path: Path) -> None:
    class Open(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return False

    key = make_key(tmp_path / "key")
    async with listening(tmp_path, Open) as text, open_pool(f"{text} -i {key}") as pool:
        assert (await run(pool, "anything")).stdout == b"done\n"


async def test_a_server_that_takes_one_thing_at_a_time(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    public = asyncssh.read_public_key(key.with_name("key.pub")).public_data
    made: list[asyncssh.SSHServerConnection] = []

    class OneByOne(asyncssh.SSHServer):
        """Accepts the service after a while, and hangs up on whoever goes on before that."""

        accepted = False

        def connection_made(self, conn: Any) -> None:
            self._connection = conn
            made.append(conn)
            send = conn.send_packet

            def accept(args: Any) -> None:
                self.accepted = True
                send(6, *args)

            def send_packet(kind: int, *args: Any, **more: Any) -> None:
                if kind == 6:  # SSH_MSG_SERVICE_ACCEPT
                    asyncio.get_running_loop().call_later(0.1, accept, args)
                else:
                    send(kind, *args, **more)

            conn.send_packet = send_packet

        def begin_auth(self, username: str) -> bool:
            if not self.accepted:
                self._connection.abort()
            return True

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            return key.public_data == public

    async with listening(tmp_path, OneByOne) as text, open_pool(f"{text} -i {key}") as pool:
        assert (await run(pool, "anything")).stdout == b"done\n"
        assert len(made) == 2
        await end_connections(pool)
        assert (await run(pool, "anything")).stdout == b"done\n"
        assert len(made) == 3  # it is remembered


async def test_a_server_that_says_nothing_more_is_asked_one_by_one_the_next_time(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    public = asyncssh.read_public_key(key.with_name("key.pub")).public_data
    made: list[object] = []

    class Forgetful(asyncssh.SSHServer):
        """Answers the first thing that is said, and forgets what has come behind it."""

        def connection_made(self, conn: Any) -> None:
            made.append(conn)
            self._waits, self._has_answered = False, False
            finish, process = conn.send_userauth_failure, conn._process_userauth_request

            def once(*args: Any) -> Any:
                return None if self._waits else take(*args)

            def take(*args: Any) -> Any:
                self._waits = not self._has_answered
                return process(*args)

            def answered(*args: Any) -> None:
                asyncio.get_running_loop().call_later(0.1, answer, args)

            def answer(args: Any) -> None:
                finish(*args)
                self._waits, self._has_answered = False, True

            conn.send_userauth_failure = answered
            conn._packet_handlers = {**conn._packet_handlers, 50: lambda _, *args: once(*args)}

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            return key.public_data == public

    async with listening(tmp_path, Forgetful) as text, open_pool(f"{text} -i {key} -o ConnectTimeout=3") as pool:
        with pytest.raises(ConnectTimeoutError):
            await pool.connect()
        assert (await run(pool, "anything")).stdout == b"done\n"
        assert len(made) == 2


async def test_a_key_too_many_costs_no_login_by_password(tmp_path: Path) -> None:
    """A server that lets one try a single time: a key that it does not even ask for must not be that time."""
    key = make_key(tmp_path / "key")
    passwords: list[str] = []

    class Strict(asyncssh.SSHServer):
        def connection_made(self, conn: Any) -> None:
            failure, self._failures = conn.send_userauth_failure, 0

            def count(*args: Any) -> None:
                self._failures += 1
                if self._failures > 1:  # the first is "none"
                    conn.disconnect(14, "Too many authentication failures")
                else:
                    failure(*args)

            conn.send_userauth_failure = count

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            passwords.append(password)
            return True

    async with listening(tmp_path, Strict) as text, open_pool(f"{text} -i {key}", password=SECRET) as pool:
        assert (await run(pool, "anything")).stdout == b"done\n"
    assert passwords == [SECRET]


async def test_a_server_that_hangs_up_is_tried_once_more_only(tmp_path: Path) -> None:
    made: list[object] = []

    class HangsUp(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            self._connection = conn
            made.append(conn)

        def begin_auth(self, username: str) -> bool:
            self._connection.abort()
            return True

    async with listening(tmp_path, HangsUp) as text, open_pool(text) as pool:
        with pytest.raises(ConnectError, match="closed the connection during authentication"):
            await pool.connect()
        assert len(made) == 2


@contextlib.asynccontextmanager
async def listening(folder: Path, server: type[asyncssh.SSHServer]) -> AsyncIterator[str]:
    """A server that answers every command with "done"; yields a value of REMOTE_SSH, to which more may be added."""

    async def answer(process: asyncssh.SSHServerProcess) -> None:
        process.stdout.write(b"done\n")
        process.exit(0)

    key = asyncssh.generate_private_key("ssh-ed25519")
    acceptor = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=server, server_host_keys=[key], process_factory=answer, encoding=None
    )
    known = folder / "known_hosts"
    public = " ".join(key.export_public_key("openssh").decode().split()[:2])
    known.write_text(f"[127.0.0.1]:{acceptor.get_port()} {public}\n")
    try:
        yield (
            f"ssh -F none -o UserKnownHostsFile={known} -o GlobalKnownHostsFile=none -o IdentityAgent=none"
            f" -p {acceptor.get_port()} tester@127.0.0.1"
        )
    finally:
        acceptor.close()
        await acceptor.wait_closed()
