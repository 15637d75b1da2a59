"""Two sessions of ours on one folder, and what counts their moments."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.kit.sshd import SshServer, start_openssh
from tests.writers.desks import open_desk, use_local_home
from tests.writers.gate import RemoteGate
from tests.writers.moments import Moments, watch_round_trips
from tests.writers.styles import Writers


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The remote workdir; what is kept on this machine goes beside it."""
    use_local_home(tmp_path / "local", monkeypatch)
    folder = tmp_path / "remote"
    folder.mkdir()
    return folder


@pytest.fixture
async def writers(openssh: SshServer, folder: Path) -> AsyncIterator[Writers]:
    """The session under test, and a second one."""
    ssh = openssh.ssh_command
    async with open_desk(ssh, folder) as ours, open_desk(ssh, folder, "ses_second") as second:
        yield Writers(ours, second)


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> Moments:
    """The moments of whatever runs on a control shell."""
    return watch_round_trips(monkeypatch)


@pytest.fixture(scope="session")
def gated_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SshServer, RemoteGate]]:
    """A server whose programs can be made to wait."""
    folder = tmp_path_factory.mktemp("gate")
    path = os.environ.get("PATH", "/usr/bin:/bin")
    options = ["MaxStartups 50", f"SetEnv PATH={folder}:{path}"]
    server = start_openssh(tmp_path_factory.mktemp("gated-sshd"), options)
    yield server, RemoteGate(folder)
    server.stop()


@pytest.fixture
def gate(gated_server: tuple[SshServer, RemoteGate]) -> Iterator[RemoteGate]:
    """Where its programs wait; nothing waits there after the test."""
    _, gate = gated_server
    gate.clear()
    yield gate
    gate.let_go()


@pytest.fixture
async def gated(gated_server: tuple[SshServer, RemoteGate], folder: Path) -> AsyncIterator[Writers]:
    """Two sessions there."""
    ssh = gated_server[0].ssh_command
    async with open_desk(ssh, folder) as ours, open_desk(ssh, folder, "ses_second") as second:
        yield Writers(ours, second)
