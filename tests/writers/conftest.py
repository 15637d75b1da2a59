"""Two sessions of ours on one folder, and what counts their moments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.sshd import SshServer
from tests.writers.desks import open_desk, use_local_home
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
    async with open_desk(openssh.ssh_command, folder) as ours:
        async with open_desk(openssh.ssh_command, folder, "ses_second") as second:
            yield Writers(ours, second)


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> Moments:
    """The moments of whatever runs on a control shell."""
    return watch_round_trips(monkeypatch)
