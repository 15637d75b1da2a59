"""sudo in a session as the sidecar opens it: permissions, the user's own commands, and what is left on the remote."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybridge.host.host import Host, HostOptions
from pybridge.mirror.temporary_folders import TemporaryFolderRecords
from pybridge.settings import Secret, Settings
from pybridge.tools import user_command
from pybridge.tools.registry import call
from pybridge.tools.session import Session, open_session
from pybridge.tools.temporary_folder import remove_abandoned
from tests.kit.pools import open_pool
from tests.kit.sudo_server import SUDOERS, SudoServer
from tests.kit.waiting import wait_until
from tests.tools.kit import Call


@dataclass
class Remote:
    """A session on a remote whose sudo wants a password."""

    server: SudoServer
    host: Host
    session: Session
    local: Path

    async def bash(self, command: str, context: Call | None = None) -> str:
        return (await call("bash", {"command": command}, context or Call(), self.session)).output

    @property
    def folder(self) -> Path:
        assert self.session.sudo is not None
        return self.server.path(self.session.sudo.path)

    def records(self) -> list[str]:
        """Files that name it, of those kept locally."""
        return [path.name for path in self.local.rglob("*.json") if path.stem == self.folder.name]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SudoServer]:
    server = SudoServer(tmp_path_factory.mktemp("sudo"))
    server.sudoers(SUDOERS + "Defaults timestamp_timeout=0\n")
    yield server
    server.stop()


@pytest.fixture
async def remote(server: SudoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Remote]:
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    async with open_pool(server.ssh_command) as pool, contextlib.AsyncExitStack() as closing:
        host = await Host.connect(pool, HostOptions(workdir=server.home, login=False))
        closing.push_async_callback(host.close)
        settings = Settings(ssh=server.ssh_command, workdir=server.home, sudo_password=Secret(server.password))
        session = await open_session(settings, host, target_slug="test-host")
        closing.callback(session.store.close)
        closing.push_async_callback(session.remove_folders)
        yield Remote(server, host, session, tmp_path)


async def test_the_tool_asks_for_what_the_user_wrote_and_nothing_of_ours_stays(remote: Remote) -> None:
    assert not remote.folder.exists()
    assert remote.records() != []
    context = Call()
    assert await remote.bash("echo x | sudo tee made && sudo -k id -u", context) == "x\n0\n"
    assert context.asked("bash") == [["echo x", "sudo tee made", "sudo -k id -u"]]
    assert remote.folder.exists()
    await remote.session.remove_folders()
    assert not remote.folder.exists()
    assert remote.records() == []


async def test_a_command_of_the_users_own_may_use_sudo(remote: Remote) -> None:
    said = bytearray()

    async def send(stream: int, data: bytes) -> None:
        said.extend(data)

    ended = await user_command.run(remote.session, "sudo id -u", str(remote.local), asyncio.Event(), send)
    assert (ended.code, bytes(said)) == (0, b"0\n")


async def test_searches_are_given_nothing(remote: Remote) -> None:
    await call("grep", {"pattern": "x", "path": remote.server.home}, Call(), remote.session)
    await call("glob", {"pattern": "*"}, Call(), remote.session)
    assert not remote.folder.exists()


@pytest.mark.whole
async def test_what_a_dead_sidecar_left_is_removed_by_the_next(remote: Remote, tmp_path: Path) -> None:
    assert await remote.bash("sudo id -u") == "0\n"
    assert remote.session.sudo is not None
    folder = remote.folder
    records = remote.session.sudo._records
    records._locks[remote.session.sudo.path].release()  # as the end of its process does
    again = TemporaryFolderRecords(records._folder.parent, "test-host")
    assert again.abandoned() == [remote.session.sudo.path]
    await remove_abandoned(remote.host, again)
    await asyncio.to_thread(wait_until, lambda: not folder.exists(), "end of the folder")
    # What removes it is gone too; the commands of a session that lives on make it again.
    assert await remote.bash("sudo id -u") == "0\n"


async def test_without_a_password_there_is_no_folder(remote: Remote) -> None:
    settings = dataclasses.replace(remote.session.settings, sudo_password=None)
    session = await open_session(settings, remote.host, target_slug="other")
    session.store.close()
    assert session.sudo is None
