"""The last line of defence: the remote's programs, or somebody in the last moment, do other than was asked (laws 2, 3).

The remote is a local dash whose PATH begins with a program that lies once it is told to.
"""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from pybridge.errors import ChangeLeftError, FileError, UnverifiedWriteError
from pybridge.host.host import Host
from pybridge.host.model import ABSENT, Change, Fetch, VersionConflict
from tests.host.conftest import connected, local_host
from tests.host.test_applying import leftovers, replace
from tests.kit.counterparts import need

LIAR = """#!{shell}
PATH={path}
if [ -e {lies} ]; then
{what}
fi
exec {real} "$@"
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder worked in."""
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def lying(folder: Path, program: str, what: str) -> AbstractAsyncContextManager[Host]:
    """A host on which `program` does something else as soon as there is a file `lies` in `folder`.

    Args:
        folder: for the program and the file.
        program: its name.
        what: POSIX sh; after it, the real program is run with the same arguments. $REAL is its path.
    """
    programs = folder / "programs"
    programs.mkdir()
    real = need(program)
    text = LIAR.format(
        shell=need("dash"), path=os.environ["PATH"], lies=folder / "lies", what=f"REAL={real}\n{what}", real=real
    )
    (programs / program).write_text(text)
    (programs / program).chmod(0o755)
    environment = {"HOME": str(folder)}
    return connected(local_host([need("dash")], path=f"{programs}:{os.environ['PATH']}", environment=environment))


@pytest.mark.parametrize(("program", "new"), [("base64", "ü" * 5), ("cat", "x" * 700_000)], ids=["10", "700000"])
async def test_law2_what_arrives_otherwise_than_it_was_sent_is_not_put_in_place(
    tmp_path: Path, work: Path, program: str, new: str
) -> None:
    (work / "f").write_bytes(b"old")
    async with lying(tmp_path, program, '"$REAL" "$@" | head -c 3; exit 0') as host:
        (tmp_path / "lies").touch()
        for path, expected in ((work / "f", "old"), (work / "new", None)):
            with pytest.raises(UnverifiedWriteError, match="not what was sent"):
                await replace(host, path, new.encode())
            assert (path.read_text() if path.exists() else None) == expected
        assert leftovers(work) == []
        (tmp_path / "lies").unlink()
        await replace(host, work / "f", b"true")
    assert (work / "f").read_bytes() == b"true"


# The liar may cut short only the refill itself: what `cat` reads then is the staged temporary.
REFILL_CUT_SHORT = """
if [ $# = 0 ]; then
  case $(readlink /proc/self/fd/0) in *.pybridge-????????????????) head -c 3; rm -f {lies}; exit 0 ;; esac
fi
"""


async def test_law2_a_refill_that_came_out_otherwise_is_taken_back(tmp_path: Path, work: Path) -> None:
    (work / "f").write_bytes(b"old content")
    os.link(work / "f", work / "twin")
    async with lying(tmp_path, "cat", REFILL_CUT_SHORT.format(lies=tmp_path / "lies")) as host:
        (tmp_path / "lies").touch()
        with pytest.raises(FileError, match="not changed"):
            await replace(host, work / "f", b"new content")
        assert not (tmp_path / "lies").exists()
        assert ((work / "f").read_bytes(), (work / "twin").read_bytes()) == (b"old content", b"old content")
        assert leftovers(work) == []
        await replace(host, work / "f", b"new content")
    assert (work / "twin").read_bytes() == b"new content"


async def test_law3_a_file_that_appears_in_the_last_moment_is_not_overwritten(tmp_path: Path, work: Path) -> None:
    path = work / "new"
    async with lying(tmp_path, "ln", f"printf theirs > '{path}'; rm -f '{tmp_path / 'lies'}'") as host:
        assert (await host.files.fetch_one(str(path))).version == ABSENT
        (tmp_path / "lies").touch()
        with pytest.raises(VersionConflict):
            await host.files.apply([Change(str(path), ABSENT, b"ours")])
    assert path.read_bytes() == b"theirs"
    assert leftovers(work) == []


async def test_law3_one_file_by_two_hard_links_in_one_request_is_not_overwritten(local: Host, work: Path) -> None:
    (work / "f").write_bytes(b"old")
    os.link(work / "f", work / "twin")
    first, second = await local.files.fetch([Fetch(str(work / "f")), Fetch(str(work / "twin"))])
    assert first.version is not None
    with pytest.raises(VersionConflict):
        await local.files.apply([Change(first.path, first.version, b"A"), Change(second.path, first.version, b"B")])
    assert (work / "f").read_bytes() == b"old"
    assert (work / "f").stat().st_nlink == 2
    assert leftovers(work) == []


@pytest.mark.parametrize("size", [10, 700_000])
async def test_law2_a_name_that_is_taken_is_never_used_for_a_temporary(
    local: Host, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("pybridge.host.applying.secrets.token_hex", lambda size: "0123456789abcdef")
    (work / "f").write_bytes(b"old")
    (tmp_path / "victim").write_bytes(b"precious")
    (work / ".pybridge-0123456789abcdef").symlink_to(tmp_path / "victim")
    with pytest.raises(FileError):
        await local.files.apply([Change(str(work / "new"), ABSENT, b"x" * size)])
    await replace(local, work / "f", b"n" * size)
    assert (work / "f").read_bytes() == b"n" * size
    assert (tmp_path / "victim").read_bytes() == b"precious"
    # The name is chosen by chance among 2**64: what lies under it is not written through, but may be swept away.
    assert {path.name for path in work.iterdir()} - {".pybridge-0123456789abcdef"} == {"f"}


async def test_law2_all_is_taken_back_when_a_later_change_fails(tmp_path: Path, work: Path) -> None:
    """A new file, a removal, a rename, and a refill that goes wrong after all of these were made."""
    for name in ("gone", "moved"):
        (work / name).write_bytes(b"old")
    (work / "f").write_bytes(b"old content")
    os.link(work / "f", work / "twin")
    async with lying(tmp_path, "cat", REFILL_CUT_SHORT.format(lies=tmp_path / "lies")) as host:
        changes = await changes_of(host, work, {"made/new": b"1", "gone": None, "moved": b"2", "f": b"new content"})
        (tmp_path / "lies").touch()
        with pytest.raises(FileError):
            await host.files.apply(changes)
        assert not (tmp_path / "lies").exists()
    assert {p.name: p.read_bytes() for p in work.iterdir()} == {
        "gone": b"old",
        "moved": b"old",
        "f": b"old content",
        "twin": b"old content",
    }


async def test_law3_what_somebody_writes_before_a_rollback_is_not_taken_back(tmp_path: Path, work: Path) -> None:
    (work / "moved").write_bytes(b"old")
    (work / "f").write_bytes(b"old content")
    os.link(work / "f", work / "twin")
    theirs = f"case $(readlink /proc/self/fd/0) in *.pybridge-*) echo theirs > {work}/moved ;; esac\n"
    async with lying(tmp_path, "cat", theirs + REFILL_CUT_SHORT.format(lies=tmp_path / "lies")) as host:
        changes = await changes_of(host, work, {"moved": b"ours", "f": b"new content"})
        (tmp_path / "lies").touch()
        with pytest.raises(ChangeLeftError, match="moved"):
            await host.files.apply(changes)
    assert (work / "moved").read_bytes() == b"theirs\n"
    assert (work / "f").read_bytes() == b"old content"


async def changes_of(host: Host, work: Path, contents: dict[str, bytes | None]) -> list[Change]:
    """Changes of files as they are now."""
    fetched = await host.files.fetch([Fetch(str(work / name)) for name in contents])
    return [Change(f.path, f.version or ABSENT, c) for f, c in zip(fetched, contents.values(), strict=True)]
