"""Remote files on real servers: what is fetched, and compare-and-swap (laws 2 and 3)."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat as stat_module
import subprocess
from pathlib import Path

import pytest

from pybridge.errors import (
    FileError,
    FileMissingError,
    IsDirectoryError,
    NotDirectoryError,
    SpecialFileError,
    StorageError,
)
from pybridge.host import fetching
from pybridge.host.host import Host
from pybridge.host.model import ABSENT, Change, Entry, Fetch, FileKind, Lines, VersionConflict
from tests.kit.counterparts import need, need_root

HOSTILE = ["with space", "it's", "-n", "$(touch pwned)", "a\nb", "`id`", "\\", "*", " lead", "trail ", "\udcff\udcfe"]


async def replace(host: Host, path: Path, content: bytes) -> None:
    fetched = await host.files.fetch_one(str(path))
    assert fetched.version is not None
    await host.files.apply([Change(str(path), fetched.version, content)])


def leftovers(folder: Path) -> list[str]:
    return [str(p) for p in folder.rglob(".pybridge-*")]


@pytest.mark.parametrize("name", HOSTILE)
async def test_D25_hostile_names_are_read_written_listed_and_removed(host: Host, tmp_path: Path, name: str) -> None:
    path = f"{tmp_path}/{name}"
    await host.files.apply([Change(path, ABSENT, b"one\0\xff")])
    fetched = await host.files.fetch_one(path)
    assert (fetched.content, fetched.real) == (b"one\0\xff", path)
    assert await host.files.list(str(tmp_path)) == [Entry(name, False)]
    assert (await host.files.fetch_one(str(tmp_path), entries=True)).entries == (Entry(name, False),)
    assert fetched.version is not None
    await host.files.apply([Change(path, fetched.version, b"two")])
    assert Path(os.fsdecode(path.encode("utf-8", "surrogateescape"))).read_bytes() == b"two"
    now = await host.files.fetch_one(path)
    assert now.version is not None
    await host.files.apply([Change(path, now.version, None)])
    assert list(tmp_path.iterdir()) == []


async def test_many_files_of_every_kind_are_one_answer(host: Host, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"text\n")
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to("f")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    names = ["f", "empty", "link", "dangling", "fifo", "missing/deep", "f/below"]
    got = await host.files.fetch([Fetch(str(tmp_path / name)) for name in names])
    assert [g.kind for g in got[:3]] == [FileKind.FILE] * 3
    assert [g.kind for g in got[3:]] == [FileKind.MISSING, FileKind.SPECIAL, FileKind.MISSING, FileKind.MISSING]
    assert [g.content for g in got[:3]] == [b"text\n", b"", b"text\n"]
    assert got[2].real == str(tmp_path / "f")
    assert got[3].real == str(tmp_path / "nowhere")
    assert set(got[3].siblings) == {"f", "empty", "link", "dangling", "fifo"}


async def test_an_unchanged_version_is_answered_without_content(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"same")
    first = await host.files.fetch_one(str(path))
    again = await host.files.fetch_one(str(path), held=first.version)
    assert (again.unchanged, again.content, again.version) == (True, None, first.version)
    before = path.stat()
    path.write_bytes(b"emas")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = await host.files.fetch_one(str(path), held=first.version)
    assert (changed.unchanged, changed.content) == (False, b"emas")


async def test_a_file_over_the_limit_is_answered_without_content_and_sliced(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"".join(b"line %d\r\n" % i for i in range(1, 5001)) + b"last")
    fetched = await host.files.fetch_one(str(path), max_bytes=1000)
    assert (fetched.content, fetched.version, fetched.kind) == (None, None, FileKind.FILE)
    piece = await host.files.slice(str(path), Lines(4999, 10))
    assert (piece.total_lines, piece.lines) == (5001, (b"line 4999\r", b"line 5000\r", b"last"))
    assert piece.head == path.read_bytes()[:4096]
    cut = await host.files.slice(str(path), Lines(1, 2, 3))
    assert cut.lines == (b"lin", b"lin")


async def test_lines_of_a_large_file_come_with_the_answer_that_it_is_one(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(b"".join(b"line %d\n" % i for i in range(1, 5001)) + b"last")
    small.write_bytes(b"one\ntwo\n")
    asked = [Fetch(str(path), max_bytes=1000, lines=Lines(4999, 10, 5, 10**6)) for path in (large, small, tmp_path)]
    sliced, whole, folder = await host.files.fetch([*asked])
    assert (sliced.content, sliced.version, sliced.kind) == (None, None, FileKind.FILE)
    assert sliced.piece == await host.files.slice(str(large), Lines(4999, 10, 5, 10**6))
    assert sliced.piece is not None and sliced.piece.lines == (b"line ", b"line ", b"last")
    assert (whole.content, whole.piece, folder.piece) == (b"one\ntwo\n", None, None)
    monkeypatch.setattr(fetching, "SLICED_AT_ONCE", 2000)
    (alone,) = await host.files.fetch(asked[:1])
    assert (alone.kind, alone.content, alone.piece) == (FileKind.FILE, None, None)


async def test_proc_files_have_content_although_their_size_is_zero(host: Host) -> None:
    fetched = await host.files.fetch_one("/proc/version")
    assert fetched.content is not None
    assert fetched.content.startswith(b"Linux")


async def test_a_folder_is_looked_at_and_listed_in_one_round_trip(host: Host, tmp_path: Path) -> None:
    for name in ("sub", "empty"):
        (tmp_path / name).mkdir()
    names = {f"{number}-{'x' * 200}" for number in range(200)}
    for name in names:
        (tmp_path / "sub" / name).touch()
    (tmp_path / "sub" / "folder").symlink_to("..")
    asked = ["sub", "empty", "none", f"sub/{min(names)}"]
    sub, empty, none, file = await host.files.fetch([Fetch(f"{tmp_path}/{name}", entries=True) for name in asked])
    assert sub.entries is not None
    assert set(sub.entries) == {Entry("folder", True), *(Entry(name, False) for name in names)}
    assert (empty.entries, none.entries, file.entries, file.content) == ((), None, None, b"")
    assert (await host.files.fetch_one(str(tmp_path))).entries is None


async def test_folders_that_cannot_be_listed_say_why(host: Host, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(FileMissingError):
        await host.files.list(str(tmp_path / "none"))
    with pytest.raises(NotDirectoryError):
        await host.files.list(str(tmp_path / "f"))


async def test_law3_a_changed_target_stops_the_whole_request(host: Host, tmp_path: Path) -> None:
    target, other = tmp_path / "f", tmp_path / "g"
    target.write_bytes(b"one")
    other.write_bytes(b"g")
    first = await host.files.fetch([Fetch(str(target)), Fetch(str(other))])
    target.write_bytes(b"two")
    assert first[0].version and first[1].version
    with pytest.raises(VersionConflict) as caught:
        await host.files.apply(
            [
                Change(str(other), first[1].version, b"new g"),
                Change(str(target), first[0].version, b"lost"),
                Change(str(tmp_path / "sub" / "new"), ABSENT, b"x"),
            ]
        )
    assert [f.content for f in caught.value.current] == [b"two"]
    assert (target.read_bytes(), other.read_bytes()) == (b"two", b"g")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f", "g"]


async def test_law3_a_file_that_appeared_is_not_overwritten(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert (await host.files.fetch_one(str(path))).version == ABSENT
    path.write_bytes(b"somebody's")
    with pytest.raises(VersionConflict):
        await host.files.apply([Change(str(path), ABSENT, b"ours")])
    assert path.read_bytes() == b"somebody's"


async def test_law3_a_file_that_vanished_is_not_brought_back(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x")
    fetched = await host.files.fetch_one(str(path))
    path.unlink()
    assert fetched.version is not None
    with pytest.raises(VersionConflict) as caught:
        await host.files.apply([Change(str(path), fetched.version, b"y")])
    assert caught.value.current[0].kind is FileKind.MISSING
    assert not path.exists()


async def test_law2_mode_links_and_symlinks_are_kept(host: Host, tmp_path: Path) -> None:
    plain, linked = tmp_path / "plain", tmp_path / "linked"
    plain.write_bytes(b"a")
    plain.chmod(0o4751)
    linked.write_bytes(b"a")
    os.link(linked, tmp_path / "twin")
    (tmp_path / "link").symlink_to("plain")
    await replace(host, tmp_path / "link", b"through")
    await replace(host, linked, b"both")
    assert (tmp_path / "link").is_symlink()
    assert plain.read_bytes() == b"through"
    assert stat_module.S_IMODE(plain.stat().st_mode) == 0o4751
    assert (tmp_path / "twin").read_bytes() == b"both"
    assert linked.stat().st_nlink == 2
    assert leftovers(tmp_path) == []


async def test_law2_owner_and_group_are_kept(host: Host, tmp_path: Path) -> None:
    need_root("give a file to another user")
    path = tmp_path / "f"
    path.write_bytes(b"a")
    os.chown(path, 12345, 23456)
    await replace(host, path, b"b")
    assert (path.stat().st_uid, path.stat().st_gid, path.read_bytes()) == (12345, 23456, b"b")


@pytest.mark.parametrize("others", [0, 2], ids=["alone", "several"])
async def test_law2_acl_and_attributes_are_kept(host: Host, tmp_path: Path, others: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"a")
    subprocess.run([need("setfattr"), "-n", "user.note", "-v", "kept", str(path)], check=True)
    subprocess.run([need("setfacl"), "-m", "u:12345:r", str(path)], check=True)
    fetched = await host.files.fetch_one(str(path))
    assert fetched.version is not None
    news = [Change(str(tmp_path / f"new{number}"), ABSENT, b"%d" % number) for number in range(others)]
    await host.files.apply([*news, Change(str(path), fetched.version, b"b")])
    assert path.read_bytes() == b"b"
    assert os.getxattr(path, "user.note") == b"kept"
    acl = subprocess.run([need("getfacl"), "-c", str(path)], capture_output=True, text=True, check=True).stdout
    assert "user:12345:r--" in acl


async def test_law2_new_files_follow_the_umask(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "f"
    await host.login_captured()
    await host.files.apply([Change(str(path), ABSENT, b"x")])
    assert stat_module.S_IMODE(path.stat().st_mode) == 0o666 & ~host.facts.umask


async def test_law2_a_bind_mounted_file_is_refilled(openssh_with_bind_mount: tuple[Host, Path]) -> None:
    host, path = openssh_with_bind_mount
    await replace(host, path, b"refilled")
    assert (await host.files.fetch_one(str(path))).content == b"refilled"
    assert leftovers(path.parent) == []


async def test_large_contents_arrive_whole(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "big"
    content = os.urandom(5_000_001)
    await host.files.apply([Change(str(path), ABSENT, content)])
    assert path.read_bytes() == content
    await replace(host, path, content[::-1])
    assert path.read_bytes() == content[::-1]
    assert leftovers(tmp_path) == []


async def test_a_move_takes_the_mode_along(host: Host, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"x")
    old.chmod(0o755)
    fetched = await host.files.fetch_one(str(old))
    assert fetched.version is not None
    await host.files.apply(
        [Change(str(new), ABSENT, b"y", mode_from=str(old)), Change(str(old), fetched.version, None)]
    )
    assert not old.exists()
    assert (new.read_bytes(), stat_module.S_IMODE(new.stat().st_mode)) == (b"y", 0o755)


async def test_removing_a_symlink_leaves_its_target(host: Host, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    (tmp_path / "link").symlink_to("f")
    fetched = await host.files.fetch_one(str(tmp_path / "link"))
    assert fetched.version is not None
    await host.files.apply([Change(str(tmp_path / "link"), fetched.version, None)])
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


async def test_folders_and_special_files_are_not_written(host: Host, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(IsDirectoryError):
        await host.files.apply([Change(str(tmp_path / "folder"), ABSENT, b"x")])
    with pytest.raises(SpecialFileError):
        await host.files.apply([Change(str(tmp_path / "fifo"), ABSENT, b"x")])


async def test_a_file_where_a_folder_is_meant_is_said(host: Host, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    with pytest.raises(NotDirectoryError):
        await host.files.apply([Change(str(tmp_path / "f" / "below"), ABSENT, b"x")])
    assert (tmp_path / "f").read_bytes() == b"x"


async def test_law2_a_full_disk_leaves_the_old_file_and_no_temporary(host_on_small_disk: tuple[Host, Path]) -> None:
    host, folder = host_on_small_disk
    path = folder / "f"
    await host.files.apply([Change(str(path), ABSENT, b"old")])
    fetched = await host.files.fetch_one(str(path))
    assert fetched.version is not None
    for size in (300_000, 3_000_000):  # inside the request, and ahead of it
        with pytest.raises(StorageError, match="full"):
            await host.files.apply([Change(str(path), fetched.version, b"x" * size)])
        assert (await host.files.fetch_one(str(path))).content == b"old"
        assert await host.files.list(str(folder)) == [Entry("f", False)]


async def test_a_failing_change_takes_the_others_back(host: Host, tmp_path: Path) -> None:
    first, gone = tmp_path / "first", tmp_path / "gone"
    first.write_bytes(b"1")
    gone.write_bytes(b"2")
    fetched = await host.files.fetch([Fetch(str(first)), Fetch(str(gone)), Fetch(str(tmp_path / "n" / ("x" * 300)))])
    assert fetched[0].version and fetched[1].version
    with pytest.raises(FileError):
        await host.files.apply(
            [
                Change(str(first), fetched[0].version, b"changed"),
                Change(str(gone), fetched[1].version, None),
                Change(str(tmp_path / "n" / ("x" * 300)), ABSENT, b"name too long"),
            ]
        )
    assert (first.read_bytes(), gone.read_bytes()) == (b"1", b"2")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first", "gone"]


async def test_parallel_writers_of_one_file_never_both_win(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0")
    fetched = await host.files.fetch_one(str(path))
    assert fetched.version is not None
    changes = [Change(str(path), fetched.version, b"writer %d" % i) for i in range(4)]
    # One after the other on purpose: what two shells do in the same millisecond is the stated window of law 3.
    outcomes = []
    for change in changes:
        try:
            await host.files.apply([change])
            outcomes.append(change.content)
        except VersionConflict:
            pass
    assert outcomes == [path.read_bytes()] == [b"writer 0"]


async def test_twenty_requests_at_once_are_all_answered(host: Host, tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / str(i)).write_text(str(i))
    answers = await asyncio.gather(*(host.files.fetch_one(str(tmp_path / str(i))) for i in range(20)))
    assert [a.content for a in answers] == [str(i).encode() for i in range(20)]


async def test_a_folder_of_thousands_is_listed_whole(host: Host, tmp_path: Path) -> None:
    for i in range(3000):
        (tmp_path / f"{i:04}").touch()
    (tmp_path / ".hidden").mkdir()
    listed = await host.files.list(str(tmp_path))
    assert len(listed) == 3001
    assert Entry(".hidden", True) in listed
    shutil.rmtree(tmp_path)
