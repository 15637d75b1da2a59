"""How the system's ssh logs in for us: keys, passwords, codes; each secret once, and no questions into the dark."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

import pytest

from pybridge.errors import (
    AuthenticationError,
    ConnectionRefusedByHostError,
    HostKeyChangedError,
    HostKeyUnknownError,
    UnknownHostError,
)
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.counterparts import need
from tests.kit.pools import open_system_ssh, run
from tests.kit.sshd import SshServer, free_port, make_key


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of ours go to a folder of the test, and the user's askpass program is none."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SSH_ASKPASS", raising=False)
    need("ssh")


def askpass(folder: Path, script: str) -> str:
    """A program that asks the user, as a desktop has one; it notes what it was asked."""
    path = folder / "users-askpass"
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >> {shlex.quote(str(folder / "asked"))}\n{script}\n')
    path.chmod(0o755)
    return str(path)


async def hello(text: str, **options: str | None) -> bytes:
    """Log in and run a command."""
    async with open_system_ssh(text, **options) as carrier:
        return (await run(carrier, "echo hello")).stdout


@pytest.mark.whole
@pytest.mark.parametrize("method", ["password", "interactive"])
async def test_a_password_is_given(tmp_path: Path, method: str) -> None:
    async with EmbeddedServer(
        tmp_path,
        password="päss' wörd",
        use_password=method == "password",
        use_interactive=method == "interactive",
    ) as server:
        assert await hello(server.ssh_command(), password="päss' wörd") == b"hello\n"
        assert server.passwords + [answer for answers in server.answers for answer in answers] == ["päss' wörd"]


@pytest.mark.parametrize("method", ["password", "interactive", "both"])
async def test_a_wrong_password_is_sent_once_and_never_again(tmp_path: Path, method: str) -> None:
    async with EmbeddedServer(
        tmp_path, password="right", use_password=method != "interactive", use_interactive=method != "password"
    ) as server:
        async with open_system_ssh(server.ssh_command(), password="wrong") as carrier:
            for _ in range(2):
                with pytest.raises(AuthenticationError) as error:
                    await carrier.start("true")
                assert "wrong" not in str(error.value)
        assert server.passwords + [answer for answers in server.answers for answer in answers] == ["wrong"]
        assert server.connections == 1


async def test_a_one_time_code_is_asked_for_by_the_users_own_program_once_for_thirty_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_ASKPASS", askpass(tmp_path, "echo 123456"))
    prompts = ("Verification code: ",)
    async with (
        EmbeddedServer(
            tmp_path, password="123456", use_password=False, use_interactive=True, prompts=prompts
        ) as server,
        open_system_ssh(server.ssh_command(), password="not for this") as carrier,
    ):
        outputs = await asyncio.gather(*(run(carrier, f"echo {number}") for number in range(30)))
        assert [output.stdout for output in outputs] == [f"{number}\n".encode() for number in range(30)]
        assert server.answers == [["123456"]]
        assert server.connections == 1
    assert (tmp_path / "asked").read_text().count("Verification code") == 1


@pytest.mark.whole
async def test_a_password_and_a_code_in_one_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours answers what it knows, the user's program the rest."""
    monkeypatch.setenv("SSH_ASKPASS", askpass(tmp_path, "echo 123456"))
    prompts = ("Password: ", "One-time code: ")
    async with EmbeddedServer(
        tmp_path, password="secret", use_password=False, use_interactive=True, prompts=prompts
    ) as server:
        assert await hello(server.ssh_command(), password="secret") == b"hello\n"
        assert server.answers == [["secret", "123456"]]
    assert "Password" not in (tmp_path / "asked").read_text()


async def test_a_code_that_nobody_can_give_ends_the_login_with_what_to_do(tmp_path: Path) -> None:
    async with EmbeddedServer(
        tmp_path, password="123456", use_password=False, use_interactive=True, prompts=("Code: ",)
    ) as server:
        with pytest.raises(AuthenticationError, match=r"'\(tester@127.0.0.1\) Code:'.*nobody can answer") as error:
            await hello(server.ssh_command())
        assert "pybridge launch" in str(error.value)
        assert server.answers == []


@pytest.mark.whole
async def test_an_encrypted_key_is_opened(openssh: SshServer, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key", passphrase="open sesame")
    authorized = openssh.folder / "authorized_keys"
    kept = authorized.read_text()
    authorized.write_text(kept + (tmp_path / "key.pub").read_text())
    try:
        assert await hello(openssh.ssh_command_with(key=key), passphrase="open sesame") == b"hello\n"
        for passphrase, remark in ((None, "it is encrypted"), ("wrong", "does not open it")):
            with pytest.raises(AuthenticationError, match=remark):
                await hello(openssh.ssh_command_with(key=key), passphrase=passphrase)
    finally:
        authorized.write_text(kept)


@pytest.mark.whole
async def test_a_jump_host_is_not_shown_the_password(tmp_path: Path) -> None:
    folder = tmp_path / "target"
    folder.mkdir()
    async with (
        EmbeddedServer(tmp_path, user="hopper", password="other") as jump,
        EmbeddedServer(folder, password="secret") as server,
    ):
        (tmp_path / "config").write_text(
            f"Host hop\n  HostName 127.0.0.1\n  Port {jump.port}\n  User hopper\n"
            f"  UserKnownHostsFile {jump.known_hosts}\n  IdentityFile none\n"
        )
        text = server.ssh_command("-J", "hop").replace("-F none", f"-F {tmp_path / 'config'}")
        with pytest.raises(AuthenticationError, match="hopper@127.0.0.1's password"):
            await hello(text, password="secret")
        assert jump.passwords == []


@pytest.mark.parametrize("strict", ["yes", "ask"])
async def test_law5_an_unknown_host_key_is_refused(openssh: SshServer, tmp_path: Path, strict: str) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(HostKeyUnknownError) as error:
        await hello(openssh.ssh_command_with(known_hosts=tmp_path / "empty", strict=strict))
    assert "accept-new" in str(error.value)
    assert (tmp_path / "empty").read_text() == ""


@pytest.mark.whole
async def test_law5_a_changed_host_key_is_refused_and_a_new_one_accepted(openssh: SshServer, tmp_path: Path) -> None:
    known = tmp_path / "known"
    key = make_key(tmp_path / "other").with_suffix(".pub").read_text()
    known.write_text(f"[127.0.0.1]:{openssh.port} {key}")
    with pytest.raises(HostKeyChangedError):
        await hello(openssh.ssh_command_with(known_hosts=known, strict="accept-new"))
    known.write_text("")
    assert await hello(openssh.ssh_command_with(known_hosts=known, strict="accept-new")) == b"hello\n"
    assert known.read_text() != ""


@pytest.mark.whole
async def test_hosts_that_cannot_be_reached_are_told_apart(openssh: SshServer) -> None:
    with pytest.raises(ConnectionRefusedByHostError):
        await hello(openssh.ssh_command_with(port=free_port()))
    with pytest.raises(UnknownHostError):
        await hello("-F none no-such-host.invalid")


async def test_law6_a_secret_is_in_no_argument_environment_or_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at while ssh asks: a program of the user's, asked for a code, looks around."""
    (tmp_path / "secret").write_text("s3cr3t-xyz\n")
    grep = f"grep -af {shlex.quote(str(tmp_path / 'secret'))}"
    look = f"cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | {grep} -c"
    files = f'{grep} -rls "${{PYBRIDGE_ASKPASS%/*}}" {shlex.quote(str(tmp_path / "state"))}'
    found = shlex.quote(str(tmp_path / "found"))
    monkeypatch.setenv("SSH_ASKPASS", askpass(tmp_path, f"({look}; {files}) > {found}; echo 1"))
    prompts = ("Password: ", "Code: ")
    async with EmbeddedServer(
        tmp_path, password="s3cr3t-xyz", use_password=False, use_interactive=True, prompts=prompts
    ) as server:
        assert await hello(server.ssh_command(), password="s3cr3t-xyz") == b"hello\n"
    assert (tmp_path / "found").read_text() == "0\n"
