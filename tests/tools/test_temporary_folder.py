"""The remote's folder for temporary work: made when mentioned, removed at the end, also after a kill."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from pybridge.errors import ConnectionLostError, FilePermissionError
from pybridge.host.host import Host
from pybridge.mirror.temporary_folders import TemporaryFolderRecords
from pybridge.tools.temporary_folder import TemporaryFolder, remove_abandoned
from tests.tools.conftest import Remote
from tests.tools.kit import Call

DEADLINE = 60.0


@pytest.fixture
def records(tmp_path: Path) -> TemporaryFolderRecords:
    return TemporaryFolderRecords(tmp_path / "records", "test-host")


@pytest.fixture
def folder(remote: Remote, records: TemporaryFolderRecords) -> TemporaryFolder:
    return TemporaryFolder(cast(Host, remote.session.host), records, str(remote.folder))


async def until_gone(path: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while Path(path).exists():
            await asyncio.sleep(0.02)


async def test_it_is_made_by_the_first_call_that_mentions_it(folder: TemporaryFolder) -> None:
    assert folder.path is not None
    await folder.prepare({"command": "ls /tmp", "timeout": 5})
    await folder.prepare("no object")
    assert not Path(folder.path).exists()
    await asyncio.gather(*(folder.prepare({"command": f"touch {folder.path}/x"}) for _ in range(3)))
    assert Path(folder.path).stat().st_mode & 0o777 == 0o700
    assert folder.contains(f"{folder.path}/x/y")
    assert not folder.contains(f"{folder.path}x")
    Path(folder.path, "sub").mkdir()
    await folder.remove()
    assert not Path(folder.path).exists()


async def test_it_is_made_again_when_the_remote_lost_it(folder: TemporaryFolder) -> None:
    assert folder.path is not None
    args = {"command": f"ls {folder.path}"}
    await folder.prepare(args)
    Path(folder.path).rmdir()
    await folder.prepare(args)
    assert not Path(folder.path).exists()  # who removed it need not get it back
    folder.link_is_back()
    assert folder.contains(folder.path)
    await folder.prepare(args)
    assert Path(folder.path).is_dir()
    await folder.remove()


async def test_calls_use_it_without_being_asked_about(remote: Remote) -> None:
    temporary = remote.session.temporary
    assert temporary is not None
    path = temporary.path
    call = Call()
    await remote("bash", call, command=f"echo one > {path}/a && cat {path}/a", workdir=path)
    await remote("write", call, filePath=f"{path}/deep/b.txt", content="two\n")
    assert "1: two" in (await remote("read", call, filePath=f"{path}/deep/b.txt")).output
    assert call.asked("external_directory") == []
    await remote("read", call, filePath="/etc/passwd")
    assert len(call.asked("external_directory")) == 1
    await temporary.remove()


async def test_a_path_that_is_a_link_is_not_taken(folder: TemporaryFolder, tmp_path: Path) -> None:
    assert folder.path is not None
    (tmp_path / "elsewhere").mkdir()
    Path(folder.path).symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(FilePermissionError):
            await folder.prepare({"command": f"ls {folder.path}"})
    assert not folder.contains(str(tmp_path / "elsewhere"))


@pytest.mark.parametrize("parent", [None, "/tmp/with space", "/tmp/`id`", "relative"])
async def test_there_is_none_where_none_can_be(
    remote: Remote, records: TemporaryFolderRecords, parent: str | None
) -> None:
    folder = TemporaryFolder(cast(Host, remote.session.host), records, parent)
    assert folder.path is None
    await folder.prepare({"command": "ls"})
    await folder.remove()


async def test_that_of_a_dead_sidecar_is_removed_by_the_next(
    remote: Remote, folder: TemporaryFolder, records: TemporaryFolderRecords, tmp_path: Path
) -> None:
    host = cast(Host, remote.session.host)
    assert folder.path is not None
    await folder.prepare({"command": folder.path})
    Path(folder.path, "file").touch()
    await remove_abandoned(host, TemporaryFolderRecords(tmp_path / "records", "test-host"))
    await remove_abandoned(host, TemporaryFolderRecords(tmp_path / "records", "other-host"))
    assert Path(folder.path, "file").exists()  # its sidecar lives
    records._locks[folder.path].release()  # as the end of the process does
    await remove_abandoned(host, TemporaryFolderRecords(tmp_path / "records", "test-host"))
    await until_gone(folder.path)
    later = TemporaryFolderRecords(tmp_path / "records", "test-host")
    assert later.abandoned() == [folder.path]  # until it is seen to be gone
    await remove_abandoned(host, later)
    assert later.abandoned() == []
    assert list((tmp_path / "records").glob("*/*")) == []


async def test_only_what_is_named_as_ours_is_ever_removed(
    remote: Remote, records: TemporaryFolderRecords, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    records.begin(str(precious))
    records._locks[str(precious)].release()
    again = TemporaryFolderRecords(tmp_path / "records", "test-host")
    assert again.abandoned() == []
    await remove_abandoned(cast(Host, remote.session.host), again)
    assert precious.exists()


async def test_what_cannot_be_removed_now_stays_recorded(
    folder: TemporaryFolder, remote: Remote, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert folder.path is not None
    await folder.prepare({"command": folder.path})

    async def lost(*args: object, **more: object) -> bytes:
        raise ConnectionLostError("gone")

    monkeypatch.setattr(remote.session.host, "run_control", lost)
    await folder.remove()
    assert len(list((tmp_path / "records").glob("*/*.json"))) == 1
