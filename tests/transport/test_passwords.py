"""Passwords on real servers: through both methods and several in a row; a wrong one is shown to a server once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from pybridge.errors import AuthenticationError, ConnectError
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.password_login import (
    attempts,
    start_dropbear_with_password,
    start_openssh_with_password,
    without_keys,
)
from tests.kit.pools import open_pool, run, until
from tests.kit.sshd import SshServer

RIGHT, WRONG = "right'\"£ one", "wrong one"

BOTH = ["PasswordAuthentication yes", "KbdInteractiveAuthentication yes"]
SERVERS: dict[str, tuple[Callable[..., SshServer], list[str]]] = {
    "password": (start_openssh_with_password, ["PasswordAuthentication yes"]),
    "keyboard-interactive": (start_openssh_with_password, ["KbdInteractiveAuthentication yes"]),
    "few tries": (start_openssh_with_password, [*BOTH, "MaxAuthTries 1"]),
    "dropbear": (start_dropbear_with_password, []),
    "dropbear, one try": (start_dropbear_with_password, ["-T", "1"]),
}


async def prove(server: SshServer) -> None:
    """The right password opens, a wrong one is shown once: not for each connection, role, method or call."""
    async with open_pool(without_keys(server), password=RIGHT) as pool:
        assert (await run(pool, "echo in")).stdout == b"in\n"
    assert await until(lambda: attempts(server) == ["Accepted"]), server.log()
    async with open_pool(without_keys(server), password=WRONG, command_size=3, file_size=2) as pool:
        starts = [pool.start("true", role=role) for role in ("command", "file", "command", "file", "command")]
        refused = [
            *await asyncio.gather(*starts, return_exceptions=True),
            *await asyncio.gather(pool.connect(), pool.start("true"), return_exceptions=True),
        ]
    assert {type(error) for error in refused} == {AuthenticationError}, refused
    assert "the password was refused" in str(refused[0]) and "Correct REMOTE_PASSWORD" in str(refused[0])
    assert WRONG not in str(refused[0])
    assert await until(lambda: attempts(server) == ["Accepted", "Failed"]), server.log()


async def test_both_methods_of_openssh(tmp_path: Path) -> None:
    server = start_openssh_with_password(tmp_path, RIGHT, BOTH)
    try:
        await prove(server)
    finally:
        server.stop()


@pytest.mark.whole
@pytest.mark.parametrize("name", SERVERS)
async def test_on_each_server(tmp_path: Path, name: str) -> None:
    start, options = SERVERS[name]
    server = start(tmp_path, RIGHT, options)
    try:
        await prove(server)
    finally:
        server.stop()


@pytest.mark.whole
@pytest.mark.parametrize(
    "methods",
    [
        "publickey,password",
        "publickey,keyboard-interactive",
        "password,publickey",
        "password,keyboard-interactive",
        "keyboard-interactive,password",
        "publickey,password,keyboard-interactive",
        "publickey,password publickey,keyboard-interactive",
    ],
)
async def test_several_methods_in_a_row(tmp_path: Path, methods: str) -> None:
    server = start_openssh_with_password(tmp_path, RIGHT, [*BOTH, f"AuthenticationMethods {methods}"])
    try:
        async with open_pool(server.ssh_command, password=RIGHT) as pool:
            assert (await run(pool, "echo in")).stdout == b"in\n"
        before = sum(method != "publickey" for method in methods.split()[0].split(","))
        assert await until(lambda: attempts(server) == ["Accepted"] * before), server.log()  # sshd logs a little later
        for command in (server.ssh_command, without_keys(server)):
            async with open_pool(command, password=WRONG) as pool:
                for _ in range(2):
                    with pytest.raises(AuthenticationError):
                        await pool.connect()
        assert await until(lambda: len(attempts(server)) > before), server.log()
        failed = attempts(server)[before:]
        assert "Accepted" not in failed and len(failed) <= 2, server.log()  # at most one for each of the two
    finally:
        server.stop()


@pytest.mark.whole
async def test_a_key_that_is_not_enough_is_not_called_refused(tmp_path: Path) -> None:
    server = start_openssh_with_password(tmp_path, RIGHT, [*BOTH, "AuthenticationMethods publickey,password"])
    try:
        async with open_pool(server.ssh_command) as pool:
            with pytest.raises(AuthenticationError, match="the key was accepted, and more is wanted") as caught:
                await pool.connect()
        assert "Set REMOTE_PASSWORD" in str(caught.value)
    finally:
        server.stop()


async def test_a_question_after_the_password(tmp_path: Path) -> None:
    async with (
        EmbeddedServer(
            tmp_path, password=RIGHT, use_password=False, use_interactive=True, further_prompts=("Your code: ",)
        ) as server,
        open_pool(server.ssh_command(), password=RIGHT) as pool,
    ):
        with pytest.raises(AuthenticationError):
            await pool.connect()
        with pytest.raises(AuthenticationError, match="what only a person can answer") as caught:
            await pool.connect()
        assert "Your code:" in str(caught.value) and "REMOTE_TRANSPORT=openssh" in str(caught.value)
        assert "refused" not in str(caught.value)
        assert server.answers == [[RIGHT]]


@pytest.mark.parametrize("password", [None, RIGHT])
async def test_only_a_one_time_code(tmp_path: Path, password: str | None) -> None:
    async with (
        EmbeddedServer(
            tmp_path, password=RIGHT, use_password=False, use_interactive=True, prompts=("Verification code: ",)
        ) as server,
        open_pool(server.ssh_command(), password=password) as pool,
    ):
        with pytest.raises(AuthenticationError, match="REMOTE_TRANSPORT=openssh") as caught:
            await pool.connect()
        assert "It asked: Verification code:" in str(caught.value)
        assert server.answers == []


async def test_a_code_first_and_a_password_by_the_other_method(tmp_path: Path) -> None:
    async with (
        EmbeddedServer(tmp_path, password=RIGHT, use_interactive=True, prompts=("OTP for me@pin-host: ",)) as server,
        open_pool(server.ssh_command(), password=RIGHT) as pool,
    ):
        assert (await run(pool, "echo in")).stdout == b"in\n"
        assert server.answers == [] and server.passwords == [RIGHT]


async def test_a_server_that_never_says_what_it_thinks_of_the_password(tmp_path: Path) -> None:
    """It may have counted it: it is not shown it again."""
    async with (
        EmbeddedServer(tmp_path, password=RIGHT, silent=True) as server,
        open_pool(server.ssh_command("-oConnectTimeout=1"), password=WRONG) as pool,
    ):
        for _ in range(2):
            with pytest.raises(AuthenticationError, match="did not answer within 1 s"):
                await pool.connect()
        assert server.passwords == [WRONG]


async def test_a_connection_that_breaks_after_the_password(tmp_path: Path) -> None:
    async with (
        EmbeddedServer(tmp_path, password=RIGHT, silent=True) as server,
        open_pool(server.ssh_command(), password=WRONG) as pool,
    ):
        connecting = asyncio.create_task(pool.connect())
        assert await until(lambda: bool(server.passwords))
        server.cut()
        with pytest.raises(AuthenticationError, match="the connection closed"):
            await connecting
        with pytest.raises(ConnectError):
            await pool.connect()
        assert server.passwords == [WRONG]
