"""The system's ssh gets its password from a command or the system's keyring too, and a wrong one is sent once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pybridge.errors import AuthenticationError, ConfigurationError
from pybridge.transport.credentials import Credentials
from pybridge.transport.openssh.carrier import OpensshCarrier
from pybridge.transport.openssh.command_line import read_command_line
from pybridge.transport.openssh.configuration import ask_ssh
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.counterparts import need
from tests.kit.pools import run


@asynccontextmanager
async def open_with(text: str, credentials: Credentials) -> AsyncIterator[OpensshCarrier]:
    need("ssh")
    carrier = OpensshCarrier(ask_ssh(read_command_line(text)), credentials)
    try:
        yield carrier
    finally:
        await carrier.close()


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SSH_ASKPASS", raising=False)


@pytest.mark.whole
async def test_a_command(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    async with EmbeddedServer(tmp_path, password="right one") as server:
        command = f"echo ran >>{runs}; echo right one"
        async with open_with(server.ssh_command(), Credentials(password_command=command)) as carrier:
            assert (await run(carrier, "echo hello")).stdout == b"hello\n"
        assert (server.passwords, runs.read_text()) == (["right one"], "ran\n")
        async with open_with(server.ssh_command(), Credentials(password_command="echo wrong one")) as carrier:
            for _ in range(2):
                with pytest.raises(AuthenticationError, match="REMOTE_PASSWORD_COMMAND"):
                    await carrier.connect()
        assert server.passwords == ["right one", "wrong one"]
        async with open_with(server.ssh_command(), Credentials(password_command="exit 4")) as carrier:
            with pytest.raises(ConfigurationError, match="REMOTE_PASSWORD_COMMAND failed with exit status 4"):
                await carrier.connect()
        assert server.passwords == ["right one", "wrong one"]
