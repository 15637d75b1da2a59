"""REMOTE_PASSWORD_COMMAND: its first line is the password, and everything else is a clear error."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
from pathlib import Path

import pytest

from pybridge.errors import ConfigurationError
from pybridge.transport.credentials import Credentials
from pybridge.transport.password_command import run_password_command
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.login_pools import has_ended, open_pool_with
from tests.kit.pools import run, until

SECRET = "pass word'\"£"


def python(code: str) -> str:
    """A command that does the same on every system."""
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


async def test_the_first_line_is_the_password() -> None:
    command = python(f"print({SECRET.encode()!r}.decode()); print('login: me'); print('x' * 1_000_000)")
    assert await run_password_command(f"PYTHONIOENCODING=utf-8 {command}", seconds=60) == SECRET
    assert await run_password_command("printf 'no newline'", seconds=60) == "no newline"
    assert await run_password_command("printf 'dos\\r\\n'", seconds=60) == "dos"


async def test_what_stays_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    assert await run_password_command(f"echo found; sleep 300 & echo $! >{pid}", seconds=60) == "found"
    assert not has_ended(int(pid.read_text()))
    os.kill(int(pid.read_text()), signal.SIGKILL)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"echo {shlex.quote(SECRET)}; exit 3", "exit status 3"),
        ("true", "first line of its output is empty"),
        ("echo; echo second", "first line of its output is empty"),
        ("printf '\\377\\n'", "not UTF-8"),
        ("no-such-program-here", "exit status 127"),
    ],
)
async def test_failures(command: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        await run_password_command(command, seconds=60)
    assert SECRET not in str(caught.value)
    assert caught.value.next_step


async def test_the_deadline_ends_it_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(ConfigurationError, match="did not end within 1 s"):
        await run_password_command(f"sleep 300 & echo $! >{pids}; echo $$ >>{pids}; wait", seconds=1)
    [child, shell] = map(int, pids.read_text().split())
    assert await until(lambda: has_ended(child) and has_ended(shell))


async def test_it_runs_once_and_only_if_needed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    runs = tmp_path / "runs"
    credentials = Credentials(password_command=f"echo ran >>{runs}; echo {shlex.quote(SECRET)}")
    caplog.set_level(logging.DEBUG)
    async with (
        EmbeddedServer(tmp_path, password=SECRET) as server,
        open_pool_with(server.ssh_command(), credentials, command_size=2) as pool,
    ):
        assert not runs.exists()
        assert (await run(pool, "echo in")).stdout == b"in\n"
        server.cut()
        assert (await run(pool, "echo again")).stdout == b"again\n"
        assert server.passwords == [SECRET, SECRET]
    assert runs.read_text() == "ran\n"
    assert SECRET not in caplog.text


async def test_its_failure_is_the_error_and_is_not_repeated(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    credentials = Credentials(password_command=f"echo ran >>{runs}; exit 5")
    async with EmbeddedServer(tmp_path, password=SECRET, use_interactive=True) as server:
        async with open_pool_with(server.ssh_command(), credentials) as pool:
            for _ in range(2):
                with pytest.raises(ConfigurationError, match="REMOTE_PASSWORD_COMMAND failed with exit status 5"):
                    await pool.connect()
        assert server.passwords == [] and server.answers == [] and server.connections == 1
    assert runs.read_text() == "ran\n"


async def test_the_variable_with_the_password_wins(tmp_path: Path) -> None:
    credentials = Credentials(password=SECRET, password_command="echo wrong")
    async with (
        EmbeddedServer(tmp_path, password=SECRET) as server,
        open_pool_with(server.ssh_command(), credentials) as pool,
    ):
        await pool.connect()
        assert server.passwords == [SECRET]
