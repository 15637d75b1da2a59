"""Law 1 and row D11: a call moves only the files it names, however many are tracked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.host.host import Host, HostOptions
from pybridge.settings import Settings
from pybridge.tools.registry import call
from pybridge.tools.session import Session, open_session
from tests.kit.pools import open_pool, through
from tests.kit.sshd import SshServer
from tests.tools.kit import Call

TRACKED = 60


@pytest.fixture
async def measured(
    openssh: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Session, Path, DelayProxy]]:
    """A session through a proxy that counts bytes."""
    local, folder = tmp_path / "local", tmp_path / "remote"
    local.mkdir()
    folder.mkdir()
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(local))
    async with DelayProxy(openssh.port, 0) as proxy, open_pool(through(openssh, proxy)) as pool:
        host = await Host.connect(pool, HostOptions(workdir=str(folder), login=False))
        session = await open_session(Settings(ssh="x", workdir=str(folder)), host, target_slug="test-host")
        yield session, folder, proxy
        await host.close()
        session.store.close()


async def test_D11_tracked_files_are_neither_pulled_nor_pushed(measured: tuple[Session, Path, DelayProxy]) -> None:
    session, folder, proxy = measured
    for number in range(TRACKED):
        (folder / f"tracked{number}").write_text(f"{number}\n" * 2000)
        await call("read", {"filePath": f"tracked{number}"}, Call(), session)
    (folder / "tracked1").write_text("another's change\n")
    (folder / "tracked2").unlink()
    (folder / "tracked3").chmod(0)
    before = {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}
    (folder / "f").write_text("one\n")
    sent, received = proxy.to_server.bytes, proxy.to_client.bytes
    await call("read", {"filePath": "f"}, Call(), session)
    await call("edit", {"filePath": "f", "oldString": "one", "newString": "two"}, Call(), session)
    await call("write", {"filePath": "g", "content": "new\n"}, Call(), session)
    assert proxy.to_server.bytes - sent < 16_000, "more was sent than the calls themselves"
    assert proxy.to_client.bytes - received < 16_000, "more came than what the calls asked for"
    assert (folder / "f").read_text() == "two\n"
    after = {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert {name: after[name] for name in before} == before
    assert set(after) == {*before, "f", "g"}


async def test_D11_an_unchanged_file_is_not_sent_again(measured: tuple[Session, Path, DelayProxy]) -> None:
    session, folder, proxy = measured
    (folder / "f").write_text("line of text\n" * 8000)
    first = await call("read", {"filePath": "f"}, Call(), session)
    received = proxy.to_client.bytes
    assert (await call("read", {"filePath": "f"}, Call(), session)).output == first.output
    assert proxy.to_client.bytes - received < 4_000
    (folder / "f").write_text("line of TEXT\n" * 8000)
    assert "line of TEXT" in (await call("read", {"filePath": "f"}, Call(), session)).output
