"""Compare-and-swap on every shell at hand, by root and by a plain user (laws 2 and 3)."""

from __future__ import annotations

import os
import stat as stat_module
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pybridge.errors import (
    FileError,
    FilePermissionError,
    NotDirectoryError,
)
from pybridge.host.checksums import version_of
from pybridge.host.host import Host
from pybridge.host.model import ABSENT, Change, Fetch, FileKind, VersionConflict
from tests.host.conftest import Userland, busybox_programs, connected, local_host
from tests.kit.counterparts import need, need_root

HOSTILE = ["it's", "a\nb", "end\n", "\\", "*", "[a]", " lead", "é", "$(touch pwned)", "\udcff\udcfe", "%d\\n"]
NOBODY = 65533


async def replace(host: Host, path: Path, content: bytes) -> None:
    fetched = await host.files.fetch_one(str(path))
    if fetched.error is not None:
        raise fetched.error
    assert fetched.version is not None
    await host.files.apply([Change(str(path), fetched.version, content)])


def leftovers(folder: Path) -> list[str]:
    return [str(p) for p in folder.rglob(".pybridge-*")]


def on_disk(path: str) -> Path:
    """The local path whose bytes are the remote's, whatever encoding this machine has for names."""
    return Path(os.fsdecode(path.encode("utf-8", "surrogateescape")))


@pytest.mark.parametrize("name", HOSTILE)
async def test_D25_hostile_folders_files_and_symlinks(local: Host, tmp_path: Path, name: str) -> None:
    folder = f"{tmp_path}/{name}"
    path, link, dangling = f"{folder}/{name}", f"{folder}/l{name}", f"{folder}/d{name}"
    await local.files.apply([Change(path, ABSENT, b"one")])
    on_disk(link).symlink_to(on_disk(name))
    on_disk(dangling).symlink_to(on_disk("z" + name))
    through, nowhere, missing = await local.files.fetch([Fetch(link), Fetch(dangling), Fetch(f"{folder}/none")])
    assert (through.real, through.content) == (path, b"one")
    assert (nowhere.real, nowhere.kind) == (f"{folder}/z{name}", FileKind.MISSING)
    assert set(missing.siblings) == {name, "l" + name, "d" + name}
    assert through.version is not None
    await local.files.apply([Change(link, through.version, b"two"), Change(dangling, ABSENT, b"three")])
    assert (on_disk(path).read_bytes(), on_disk(f"{folder}/z{name}").read_bytes()) == (b"two", b"three")
    assert on_disk(link).is_symlink()
    assert leftovers(tmp_path) == []
    assert list(tmp_path.rglob("pwned")) == []


@pytest.mark.parametrize("name", ["plain", "é"])
async def test_law2_a_symlink_is_written_through_where_there_is_no_readlink(tmp_path: Path, name: str) -> None:
    path = busybox_programs(tmp_path / "bin", "readlink", "realpath", "stat", "base64")
    async with connected(local_host([need("dash")], path=path)) as host:
        (tmp_path / name).write_bytes(b"old")
        (tmp_path / f"link to {name}").symlink_to(name)
        await replace(host, tmp_path / f"link to {name}", b"new")
        assert (tmp_path / f"link to {name}").is_symlink()
        assert (tmp_path / name).read_bytes() == b"new"


async def test_law8_no_decoder_is_trusted_unseen(tmp_path: Path) -> None:
    path = busybox_programs(tmp_path / "bin", "base64", "cksum", "openssl")
    async with connected(local_host([need("dash")], path=path)) as host:
        assert host.facts.decoder == "pb_octal"
        content = bytes(range(256)) * 4
        await host.files.apply([Change(str(tmp_path / "f"), ABSENT, content)])
        assert (tmp_path / "f").read_bytes() == content


async def test_symlinks_in_a_circle_are_an_error_of_their_own(local: Host, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert isinstance((await local.files.fetch_one(str(tmp_path / "a"))).error, FileError)
    with pytest.raises(FileError, match="circle"):
        await local.files.apply([Change(str(tmp_path / "a"), ABSENT, b"x")])
    assert (tmp_path / "a").is_symlink()


async def test_law2_a_failing_request_takes_all_its_folders_away_again(local: Host, tmp_path: Path) -> None:
    changes = [Change(f"{tmp_path}/n/{name}", ABSENT, b"x") for name in ("a/f", "b/c/f", "b/f", "x" * 300)]
    with pytest.raises(FileError):
        await local.files.apply(changes)
    assert list(tmp_path.iterdir()) == []


async def test_law2_variables_of_the_remotes_environment_are_not_taken_for_ours(
    userland: Userland, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "file").touch()
    names = [f"{name}{index}" for name in "TXHGM" for index in range(2)]
    async with connected(userland(environment=dict.fromkeys(names, str(victim)))) as host:
        with pytest.raises(NotDirectoryError):
            await host.files.apply(
                [Change(f"{tmp_path}/file/x/y", ABSENT, b"x"), Change(f"{tmp_path}/z", ABSENT, b"x")]
            )
        assert victim.read_bytes() == b"precious"


async def test_law3_one_file_by_two_names_in_one_request_is_not_overwritten(local: Host, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    (tmp_path / "link").symlink_to("f")
    first, second = await local.files.fetch([Fetch(str(tmp_path / "f")), Fetch(str(tmp_path / "link"))])
    assert first.version is not None
    with pytest.raises(VersionConflict):
        await local.files.apply([Change(first.path, first.version, b"A"), Change(second.path, first.version, b"B")])
    assert (tmp_path / "f").read_bytes() == b"old"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("size", [10, 700_000])
async def test_law2_new_files_and_folders_follow_the_login_umask(userland: Userland, tmp_path: Path, size: int) -> None:
    async with connected(userland()) as host:
        host.files.use_facts(host.facts.with_login(rg=None, umask=0o027))
        await host.files.apply([Change(f"{tmp_path}/a/b/f", ABSENT, b"x" * size)])
        modes = [stat_module.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/f")]
        assert modes == [0o750, 0o750, 0o640]


async def test_law2_new_files_get_the_folders_default_acl(local: Host, tmp_path: Path) -> None:
    subprocess.run([need("setfacl"), "-d", "-m", "u:12345:rwx", str(tmp_path)], check=True)
    subprocess.run(["touch", str(tmp_path / "made-here")], check=True)
    await local.files.apply([Change(str(tmp_path / "made-there"), ABSENT, b"x")])
    here, there = (
        subprocess.run([need("getfacl"), "-cp", str(tmp_path / name)], capture_output=True, check=True).stdout
        for name in ("made-here", "made-there")
    )
    assert there == here


@pytest.fixture
async def nobody(userland: Userland) -> AsyncIterator[Host]:
    """A host whose user is not root."""
    need_root("become another user")
    async with connected(
        userland(prefix=[need("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"])
    ) as host:
        yield host


@pytest.fixture
def open_path(tmp_path: Path) -> Path:
    """A folder every user can reach."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o011 != 0o011:
            folder.chmod(folder.stat().st_mode | 0o011)
    return tmp_path


@pytest.mark.parametrize("size", [10, 700_000])
@pytest.mark.parametrize(
    ("folder_mode", "owner", "group", "mode"),
    [
        (0o755, NOBODY, NOBODY, 0o644),  # the folder is root's: no temporary beside the file
        (0o755, 0, 0, 0o666),
        (0o1777, 0, 0, 0o666),  # sticky: the file may be written, not replaced
        (0o1777, 0, 0, 0o606),
        (0o777, 0, NOBODY, 0o664),
        (0o777, NOBODY, 0, 0o660),
    ],
)
async def test_law2_a_file_that_cannot_be_replaced_is_refilled(
    nobody: Host, open_path: Path, folder_mode: int, owner: int, group: int, mode: int, size: int
) -> None:
    folder = open_path / "folder"
    folder.mkdir()
    path = folder / "f"
    path.write_bytes(b"old")
    os.chown(path, owner, group)
    path.chmod(mode)
    folder.chmod(folder_mode)
    before = path.stat()
    await replace(nobody, path, b"n" * size)
    after = path.stat()
    assert path.read_bytes() == b"n" * size
    assert (after.st_ino, after.st_uid, after.st_gid, after.st_mode) == (
        before.st_ino,
        before.st_uid,
        before.st_gid,
        before.st_mode,
    )
    assert leftovers(open_path) == []


@pytest.mark.parametrize("mode", [0o644, 0o4755, 0o600, 0o2755])
async def test_law2_a_plain_users_file_is_replaced_with_its_mode(nobody: Host, open_path: Path, mode: int) -> None:
    folder = open_path / "own"
    folder.mkdir()
    path = folder / "f"
    path.write_bytes(b"old")
    for place in (folder, path):
        os.chown(place, NOBODY, NOBODY)
    path.chmod(mode)
    before = path.stat().st_ino
    await replace(nobody, path, b"new")
    assert (path.read_bytes(), stat_module.S_IMODE(path.stat().st_mode)) == (b"new", mode)
    assert path.stat().st_ino != before


@pytest.mark.parametrize("mode", [0, 0o200, 0o444])
async def test_a_plain_user_is_refused_what_the_mode_refuses(nobody: Host, open_path: Path, mode: int) -> None:
    path = open_path / "f"
    path.write_bytes(b"old")
    os.chown(open_path, NOBODY, NOBODY)
    os.chown(path, NOBODY, NOBODY)
    path.chmod(mode)
    with pytest.raises(FilePermissionError):
        await replace(nobody, path, b"new")
    assert path.read_bytes() == b"old"
    assert leftovers(open_path) == []


async def test_an_unreadable_file_and_one_in_a_closed_folder_are_errors(nobody: Host, open_path: Path) -> None:
    closed, below = open_path / "closed", open_path / "folder" / "below"
    closed.write_bytes(b"x")
    closed.chmod(0)
    below.parent.mkdir(mode=0o700)
    below.write_bytes(b"x")
    found = await nobody.files.fetch([Fetch(str(closed)), Fetch(str(below))])
    assert [type(file.error) for file in found] == [FilePermissionError, FilePermissionError]


@pytest.mark.parametrize("content", [b"x", b"x" * 700_000], ids=["small", "uploaded"])
async def test_law2_folders_made_for_a_change_that_fails_are_gone(local: Host, tmp_path: Path, content: bytes) -> None:
    there = tmp_path / "there"
    there.write_bytes(b"old")
    changes = [
        Change(str(tmp_path / "made" / "deep" / "f"), ABSENT, content),
        Change(str(there), version_of(b"other", local.facts.algorithm), b"new"),
    ]
    with pytest.raises(VersionConflict):
        await local.files.apply(changes)
    with pytest.raises(FileError):
        await local.files.apply([Change(str(tmp_path / "half" / ("x" * 300) / "f"), ABSENT, content)])
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
