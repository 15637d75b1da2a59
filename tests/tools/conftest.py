"""Sessions for tool tests: over a dictionary, and over real SSH servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pybridge.host.host import Host, HostOptions
from pybridge.settings import Settings
from pybridge.tools.context import ToolResult
from pybridge.tools.registry import call
from pybridge.tools.session import Session, open_session
from tests.kit.pools import open_pool
from tests.kit.sshd import SshServer
from tests.tools.kit import Call, Desk, memory_desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A session on a host that is a dictionary, its workdir and work tree `/w`."""
    return memory_desk(tmp_path)


@dataclass
class Remote:
    """A session on a real server; `folder` is its workdir, looked at directly."""

    session: Session
    folder: Path

    async def __call__(self, tool: str, context: Call | None = None, /, **args: Any) -> ToolResult:
        return await call(tool, args, context or Call(), self.session)


@pytest.fixture(params=["openssh", "dropbear"])
def server(request: pytest.FixtureRequest) -> SshServer:
    """Each promised kind of server in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
async def remote(server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Remote]:
    """A session over SSH as the sidecar opens it; local files of ours go to a folder of the test."""
    local, folder = tmp_path / "local", tmp_path / "remote"
    local.mkdir()
    folder.mkdir()
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(local))
    (folder / ".git").mkdir()
    async with open_pool(server.ssh_command) as pool:
        host = await Host.connect(pool, HostOptions(workdir=str(folder), login=False))
        settings = Settings(ssh=server.ssh_command, workdir=str(folder))
        session = await open_session(settings, host, target_slug="test-host")
        yield Remote(session, folder)
        await host.close()
        session.store.close()
