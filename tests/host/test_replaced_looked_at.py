"""Whoever writes into a file in the moment between the compare and the replace has it back (law 3).

A program in place of `mv` acts as that writer, just before the real one.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from pybridge.errors import FileError
from pybridge.host.host import Host
from pybridge.host.model import ABSENT, Change, Command, Fetch, VersionConflict
from tests.host.conftest import connected, local_host
from tests.host.test_applying import leftovers
from tests.host.test_lying_programs import lying
from tests.kit.counterparts import need

PROGRAM = """#!/bin/sh
PATH={path}
[ -e {done} ] || {{ : > {done}; {action}; }}
exec {real} "$@"
"""


def acting_before(program: str, folder: Path, action: str) -> str:
    """A PATH on which `program`, when first called, does something else before its work."""
    folder.mkdir()
    text = PROGRAM.format(path=os.environ["PATH"], done=folder / "done", action=action, real=need(program))
    (folder / program).write_text(text)
    (folder / program).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.mark.parametrize("several", [False, True])
async def test_law3_what_is_written_into_the_file_in_the_last_moment_comes_back(tmp_path: Path, several: bool) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_text("old\n")
    other.write_text("old\n")
    path = acting_before("mv", tmp_path / "bin", f"echo theirs >> {file}")
    async with connected(local_host([need("dash")], path=path)) as host:
        fetched = await host.files.fetch([Fetch(str(name)) for name in ((file, other) if several else (file,))])
        with pytest.raises(VersionConflict) as caught:
            await host.files.apply([Change(f.path, f.version, b"ours\n") for f in fetched if f.version])
    assert caught.value.current[0].content == b"old\ntheirs\n"
    assert (file.read_text(), other.read_text()) == ("old\ntheirs\n", "old\n")
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(("program", "old"), [("mv", "old\n"), ("ln", None)])
async def test_law2_a_folder_that_takes_the_files_place_in_the_last_moment_stays_as_it_is(
    tmp_path: Path, program: str, old: str | None
) -> None:
    file = tmp_path / "file"
    if old is not None:
        file.write_text(old)
    path = acting_before(program, tmp_path / "bin", f"rm -f {file}; mkdir {file}")
    async with connected(local_host([need("dash")], path=path)) as host:
        fetched = await host.files.fetch_one(str(file))
        with pytest.raises(VersionConflict):
            await host.files.apply([Change(str(file), fetched.version or ABSENT, b"ours\n")])
    assert list(file.iterdir()) == []
    assert leftovers(tmp_path) == []


async def test_law3_what_is_written_before_a_removal_in_the_last_moment_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old\n")
    path = acting_before("mv", tmp_path / "bin", f"echo theirs >> {file}")
    async with connected(local_host([need("dash")], path=path)) as host:
        fetched = await host.files.fetch_one(str(file))
        assert fetched.version is not None
        with pytest.raises(VersionConflict):
            await host.files.apply([Change(str(file), fetched.version, None)])
    assert file.read_text() == "old\ntheirs\n"
    assert leftovers(tmp_path) == []


async def test_law3_who_replaces_a_file_during_its_refill_is_not_overwritten_by_taking_back(tmp_path: Path) -> None:
    file, twin = tmp_path / "file", tmp_path / "twin"
    file.write_text("old\n")
    os.link(file, twin)
    theirs = f"echo theirs > {file}.theirs; mv {file}.theirs {file}"
    path = acting_before("chmod", tmp_path / "bin", theirs)  # after the refill, which a later change then takes back
    async with connected(local_host([need("dash")], path=path)) as host:
        fetched = await host.files.fetch_one(str(file))
        assert fetched.version is not None
        changes = [
            Change(str(file), fetched.version, b"ours\n"),
            Change(str(tmp_path / ("x" * 300)), ABSENT, b"too long a name\n"),
        ]
        with pytest.raises(FileError):
            await host.files.apply(changes)
    assert file.read_text() == "theirs\n"


async def test_law2_a_link_that_another_request_keeps_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    file, kept = tmp_path / "file", tmp_path / ".pybridge-0123456789abcdef-was"
    file.write_text("old\n")
    async with connected(local_host([need("dash")])) as host:
        fetched = await host.files.fetch_one(str(file))
        assert fetched.version is not None
        os.link(file, kept)
        before = file.stat().st_ino
        applying = asyncio.ensure_future(host.files.apply([Change(str(file), fetched.version, b"ours\n")]))
        await asyncio.sleep(0.5)
        assert file.read_text() == "old\n"
        kept.unlink()
        await applying
    assert file.read_text() == "ours\n"
    assert file.stat().st_ino != before  # a refill would have left it empty for a moment


async def test_law2_a_temporary_that_was_taken_away_is_not_refilled_from(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old\n")
    path = acting_before("mv", tmp_path / "bin", f"rm -f {tmp_path}/.pybridge-????????????????")
    async with connected(local_host([need("dash")], path=path)) as host:
        fetched = await host.files.fetch_one(str(file))
        assert fetched.version is not None
        with pytest.raises(FileError):
            await host.files.apply([Change(str(file), fetched.version, b"ours\n")])
    assert file.read_text() == "old\n"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("whose", ["first", "last"])
async def test_law3_a_file_that_takes_the_place_of_one_of_several_just_before_is_not_replaced(
    tmp_path: Path, whose: str
) -> None:
    names = ["first", "second", "third", "fourth", "last"]
    for name in names:
        (tmp_path / name).write_text(f"{name}\n")
    target = tmp_path / whose
    # It comes after the old one has been kept, and so after it was compared.
    what = f'case $1 in {target}) "$REAL" "$@"; echo theirs > {tmp_path}/new; mv {tmp_path}/new {target}; exit ;; esac'
    (tmp_path / "liar").mkdir()
    async with lying(tmp_path / "liar", "ln", what) as host:
        (tmp_path / "liar" / "lies").touch()
        fetched = await host.files.fetch([Fetch(str(tmp_path / name)) for name in names])
        with pytest.raises(VersionConflict) as caught:
            await host.files.apply([Change(f.path, f.version, b"ours\n") for f in fetched if f.version])
    assert [(file.path, file.content) for file in caught.value.current] == [(str(target), b"theirs\n")]
    expected = {name: "theirs\n" if name == whose else f"{name}\n" for name in names}
    assert {name: (tmp_path / name).read_text() for name in names} == expected
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("program", ["ln", "stat"])
async def test_law3_a_file_that_takes_the_place_of_an_only_one_that_was_kept_is_not_replaced(
    tmp_path: Path, program: str
) -> None:
    """At once, or after it has been compared."""
    target = tmp_path / "file"
    target.write_text("old\n")
    what = f'"$REAL" "$@"; echo theirs > {tmp_path}/new; mv {tmp_path}/new {target}; exit'
    (tmp_path / "liar").mkdir()
    async with lying(tmp_path / "liar", program, what) as host:
        fetched = await host.files.fetch_one(str(target))
        (tmp_path / "liar" / "lies").touch()
        assert fetched.version is not None
        with pytest.raises(VersionConflict) as caught:
            await host.files.apply([Change(str(target), fetched.version, b"ours\n")])
    assert caught.value.current[0].content == target.read_bytes() == b"theirs\n"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("old", [b"old\n", b"x" * 100_000], ids=["small", "large"])
async def test_law2_what_cannot_be_linked_is_replaced_all_the_same(tmp_path: Path, old: bytes) -> None:
    target = tmp_path / "file"
    target.write_bytes(old)
    (tmp_path / "liar").mkdir()
    async with lying(tmp_path / "liar", "ln", "sleep 0.1; exit 1") as host:
        fetched = await host.files.fetch_one(str(target))
        (tmp_path / "liar" / "lies").touch()
        assert fetched.version is not None
        await host.files.apply([Change(str(target), fetched.version, old + b"more\n", base=old)])
    assert target.read_bytes() == old + b"more\n"
    assert leftovers(tmp_path) == []


async def test_nothing_is_left_of_what_was_kept_for_content_that_could_not_be_staged(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"x" * 100_000)
    (tmp_path / "liar").mkdir()
    linked = tmp_path / "linked"
    # Slow, so that staging has failed before it is there.
    async with lying(tmp_path / "liar", "ln", f'sleep 0.3; "$REAL" "$@"; : > {linked}; exit') as host:
        fetched = await host.files.fetch_one(str(target))
        (tmp_path / "liar" / "lies").touch()
        assert fetched.version is not None and fetched.content is not None
        change = Change(str(target), fetched.version, b"more\n" + b"x" * 100_000, base=fetched.content)
        for program in ("tail", "cat"):  # cat: the second try, which says what is wrong
            (tmp_path / "liar" / "programs" / program).write_text("#!/bin/sh\nexit 1\n")
            (tmp_path / "liar" / "programs" / program).chmod(0o755)
        with pytest.raises(FileError):
            await host.files.apply([change])
        assert linked.exists()
    assert target.read_bytes() == b"x" * 100_000
    assert leftovers(tmp_path) == []


async def test_law2_one_of_several_that_cannot_be_replaced_is_refilled(
    openssh_with_bind_mount: tuple[Host, Path],
) -> None:
    host, target = openssh_with_bind_mount
    others = [target.parent / f"other{number}" for number in range(3)]
    await host.files.apply([Change(str(path), ABSENT, f"{path}\n".encode()) for path in others])
    paths = [others[0], target, *others[1:]]
    fetched = await host.files.fetch([Fetch(str(path)) for path in paths])
    await host.files.apply([Change(f.path, f.version, b"ours\n") for f in fetched if f.version])
    again = await host.files.fetch([Fetch(str(path)) for path in [*paths, target.parent / "source"]])
    assert [file.content for file in again] == [b"ours\n"] * 5


async def test_law3_one_file_by_two_names_is_not_overwritten(openssh_with_bind_mount: tuple[Host, Path]) -> None:
    host, target = openssh_with_bind_mount
    folder = target.parent
    line = "mkdir one two; echo old > one/f; echo other > one/g; mount --bind one two"
    assert (await host.run(Command(line, str(folder)))).code == 0
    names = ["one/f", "one/g", "two/f"]
    fetched = await host.files.fetch([Fetch(f"{folder}/{name}") for name in names])
    with pytest.raises(VersionConflict):
        await host.files.apply([Change(f.path, f.version, b"%d\n" % n) for n, f in enumerate(fetched) if f.version])
    again = await host.files.fetch([Fetch(f"{folder}/{name}") for name in names])
    assert [file.content for file in again] == [b"old\n", b"other\n", b"old\n"]
    left = [entry.name for entry in await host.files.list(f"{folder}/one")]
    assert sorted(left) == ["f", "g"]
