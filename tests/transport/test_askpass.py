"""SSH_ASKPASS: when it may be used, what it is asked, and that nobody is asked twice or waited for without end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pybridge.errors import AuthenticationError, ConfigurationError
from pybridge.transport.askpass import Askpass, find_askpass
from pybridge.transport.credentials import Credentials
from tests.kit.agent import prompts_of, write_askpass
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.login_pools import has_ended, open_pool_with
from tests.kit.pools import run, until
from tests.kit.sshd import SshServer, make_key

SECRET = "pass word'\"£"


@pytest.mark.unit
@pytest.mark.parametrize(
    ("environment", "program"),
    [
        ({"SSH_ASKPASS": "ask", "DISPLAY": ":0"}, "ask"),
        ({"SSH_ASKPASS": "ask", "WAYLAND_DISPLAY": "wayland-0"}, "ask"),
        ({"SSH_ASKPASS": "ask"}, None),
        ({"SSH_ASKPASS": "ask", "DISPLAY": ""}, None),
        ({"SSH_ASKPASS": "ask", "SSH_ASKPASS_REQUIRE": "force"}, "ask"),
        ({"SSH_ASKPASS": "ask", "SSH_ASKPASS_REQUIRE": "Force"}, "ask"),
        ({"SSH_ASKPASS": "ask", "SSH_ASKPASS_REQUIRE": "prefer"}, None),
        ({"SSH_ASKPASS": "ask", "SSH_ASKPASS_REQUIRE": "prefer", "DISPLAY": ":0"}, "ask"),
        ({"SSH_ASKPASS": "ask", "SSH_ASKPASS_REQUIRE": "never", "DISPLAY": ":0"}, None),
        ({"DISPLAY": ":0", "PATH": "/nowhere"}, None),
        ({}, None),
    ],
)
def test_when_it_may_be_used(environment: dict[str, str], program: str | None) -> None:
    assert find_askpass(environment) == (Askpass(program) if program else None)


async def test_answers(tmp_path: Path) -> None:
    async def ask(body: str) -> str | None:
        return await Askpass(str(write_askpass(tmp_path, body))).ask("Password: ", seconds=60)

    assert await ask(f'printf "%s\\n" "{SECRET.replace(chr(34), chr(92) + chr(34))}"; echo more') == SECRET
    assert await ask("echo declined; exit 1") is None
    assert await ask("exit 0") is None


async def test_one_that_cannot_be_started() -> None:
    with pytest.raises(ConfigurationError, match=r"SSH_ASKPASS: /no/such/program cannot be started"):
        await Askpass("/no/such/program").ask("Password: ", seconds=60)


@pytest.mark.whole
async def test_one_that_never_answers_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    program = write_askpass(tmp_path, f"echo $$ >{pid}; sleep 300")
    assert await Askpass(str(program)).ask("Password: ", seconds=1) is None
    assert await until(lambda: has_ended(int(pid.read_text())))


async def test_five_connections_ask_once(tmp_path: Path) -> None:
    program = write_askpass(tmp_path, "echo right")
    async with (
        EmbeddedServer(tmp_path, password="right") as server,
        open_pool_with(server.ssh_command(), Credentials(askpass=Askpass(str(program)))) as pool,
    ):
        started = [await pool.start("cat") for _ in range(11)]  # one more than a connection usually takes
        started.append(await pool.start("cat", role="file"))
        assert len(server.passwords) > 2 and set(server.passwords) == {"right"}
        assert prompts_of(program) == ["tester@127.0.0.1's password: "]
        for process in started:
            process.close()


async def test_a_wrong_answer_and_none_at_all(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path, password="right", use_interactive=True) as server:
        for body, said in (("echo wrong", "the password was refused"), ("exit 1", "SSH_ASKPASS .* gave no answer")):
            program = write_askpass(tmp_path, body)
            program.with_name("prompts").unlink(missing_ok=True)
            async with open_pool_with(server.ssh_command(), Credentials(askpass=Askpass(str(program)))) as pool:
                for _ in range(2):
                    with pytest.raises(AuthenticationError, match=said):
                        await pool.connect()
            assert len(prompts_of(program)) == 1
        assert len(server.passwords) + len(server.answers) == 1


@pytest.mark.whole
async def test_a_passphrase_is_asked_for_only_if_the_server_takes_the_key(openssh: SshServer, tmp_path: Path) -> None:
    locked = make_key(tmp_path / "locked", passphrase="right")
    other = make_key(tmp_path / "other", passphrase="right")
    authorized = openssh.folder / "authorized_keys"
    authorized.write_text(authorized.read_text() + locked.with_suffix(".pub").read_text())
    program = write_askpass(tmp_path, "case $1 in Bad*) echo right ;; *) echo wrong ;; esac")
    text = openssh.ssh_command_with("-i", str(locked), key=other)
    async with open_pool_with(text, Credentials(askpass=Askpass(str(program)))) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"
        await pool.start("true", role="file")
    assert prompts_of(program) == [
        f"Enter passphrase for key '{locked}': ",
        f"Bad passphrase, try again for {locked}: ",
    ]


async def test_batch_mode_asks_nobody(openssh: SshServer, tmp_path: Path) -> None:
    locked = make_key(tmp_path / "locked", passphrase="right")
    authorized = openssh.folder / "authorized_keys"
    authorized.write_text(authorized.read_text() + locked.with_suffix(".pub").read_text())
    program = write_askpass(tmp_path, "echo right")
    text = openssh.ssh_command_with("-oBatchMode=yes", key=locked)
    async with open_pool_with(text, Credentials(askpass=Askpass(str(program)))) as pool:
        with pytest.raises(AuthenticationError, match="it is encrypted"):
            await pool.connect()
    assert prompts_of(program) == []


@pytest.mark.whole
async def test_the_person_is_not_held_to_the_connect_timeout(tmp_path: Path) -> None:
    """The answer comes only after that time: the program waits for it to pass."""
    program = write_askpass(tmp_path, "sleep 2; echo right")
    async with (
        EmbeddedServer(tmp_path, password="right") as server,
        open_pool_with(server.ssh_command("-oConnectTimeout=1"), Credentials(askpass=Askpass(str(program)))) as pool,
    ):
        await pool.connect()
        assert server.passwords == ["right"]


async def test_closing_the_pool_ends_the_question(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    program = write_askpass(tmp_path, f"echo $$ >{pid}; sleep 300")
    async with EmbeddedServer(tmp_path, password="right") as server:
        async with open_pool_with(server.ssh_command(), Credentials(askpass=Askpass(str(program)))) as pool:
            connecting = asyncio.create_task(pool.connect())
            assert await until(lambda: pid.exists() and bool(pid.read_text()))
        await asyncio.gather(connecting, return_exceptions=True)
    assert await until(lambda: has_ended(int(pid.read_text())))
