"""Two contents of equal length, in the same second, in the same inode: always told apart (law 3)."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from pybridge.errors import RemoteError
from pybridge.host.model import Change, Fetch, VersionConflict
from tests.host.conftest import busybox_programs, connected, local_host
from tests.kit.counterparts import need
from tests.kit.figures import tell
from tests.writers.moments import Moments, watched_call
from tests.writers.styles import Writers

WHEN = 1_700_000_000_123_456_789
ONE, TWO, THREE = b"one\nneedle\n", b"two\nneedle\n", b"six\nneedle\n"
GROUP = "equal length, time and inode"


def put(path: Path, content: bytes) -> tuple[int, int, int]:
    """Write in place, with the same time as ever; what `stat` tells of it."""
    with path.open("r+b" if path.exists() else "wb") as file:
        file.write(content)
    os.utime(path, ns=(WHEN, WHEN))
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


async def test_law3_a_content_that_only_its_bytes_tell_from_the_one_held_is_read_anew(
    writers: Writers, folder: Path, request: pytest.FixtureRequest
) -> None:
    path = folder / "f"
    before = put(path, ONE)
    assert "1: one" in (await writers.ours("read", filePath=str(path))).output
    assert put(path, TWO) == before
    assert "1: two" in (await writers.ours("read", filePath=str(path))).output
    assert put(path, THREE) == before
    with pytest.raises(RemoteError, match="changed since it was read; read it again"):
        await writers.ours("write", filePath=str(path), content="x\n")
    await writers.ours("edit", filePath=str(path), oldString="needle", newString="thread")
    assert path.read_bytes() == THREE.replace(b"needle", b"thread")
    tell(request, GROUP, "read, write and edit after it", 3)


@pytest.mark.parametrize(("known", "number"), [(False, 1), (False, 2), (False, 3), (True, 1), (True, 2)])
async def test_law3_such_a_change_is_seen_before_every_round_trip_of_an_edit(
    known: bool, number: int, writers: Writers, folder: Path, moments: Moments, request: pytest.FixtureRequest
) -> None:
    path = folder / "f"
    before = put(path, ONE)
    await writers.ours("read", filePath=str(path))
    if not known:
        writers.ours.host.files.known_files.forget_all()

    async def act() -> None:
        assert put(path, TWO) == before

    moments.begin(number, act)
    context = watched_call(moments, writers.ours.name)
    await writers.ours("edit", context, filePath=str(path), oldString="needle", newString="thread")
    assert moments.acted
    assert path.read_bytes() == TWO.replace(b"needle", b"thread")
    tell(request, GROUP, "an edit across it", 1)


async def test_law3_two_edits_of_ours_of_equal_length_in_one_second(writers: Writers, folder: Path) -> None:
    path = folder / "f"
    put(path, ONE)
    texts = ["one", "two", "six", "ten"]
    for number, (old, new) in enumerate(itertools.pairwise(texts)):
        ours, other = (writers.ours, writers.second) if number % 2 else (writers.second, writers.ours)
        await ours("edit", filePath=str(path), oldString=old, newString=new)
        os.utime(path, ns=(WHEN, WHEN))
        assert f"1: {new}" in (await other("read", filePath=str(path))).output


@pytest.mark.parametrize("missing", [(), ("sha256sum",), ("sha256sum", "md5sum")], ids=["sha256", "md5", "cksum"])
async def test_law3_also_where_the_remote_has_weaker_checksums_only(
    missing: tuple[str, ...], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "f"
    before = put(path, ONE)
    programs = busybox_programs(tmp_path / "programs", "openssl", "shasum", "md5", *missing)
    if not (tmp_path / "programs" / "cksum").exists():
        (tmp_path / "programs" / "cksum").symlink_to(need("cksum"))
    async with connected(local_host([need("dash")], path=programs)) as host:
        held = (await host.files.fetch_one(str(path))).version
        assert held is not None
        assert held.digest.startswith(request.node.callspec.id)
        assert put(path, TWO) == before
        (again,) = await host.files.fetch([Fetch(str(path), held)])
        assert (again.unchanged, again.content) == (False, TWO)
        with pytest.raises(VersionConflict):
            await host.files.apply([Change(str(path), held, b"x")])
    assert path.read_bytes() == TWO
    tell(request, GROUP, f"with {request.node.callspec.id} only", 2)
