"""A change of a large file travels as what differs, and stands there as what was meant (laws 2 and 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pybridge.errors import UnverifiedWriteError
from pybridge.host import difference as module
from pybridge.host.control_shell import ControlShell
from pybridge.host.difference import difference
from pybridge.host.framing import Reply
from pybridge.host.host import Host
from pybridge.host.model import Change, Fetch, VersionConflict
from tests.host.conftest import Userland, connected
from tests.host.test_applying import leftovers
from tests.host.test_lying_programs import lying

OLD = b"".join(b"line %d of a large file\n" % number for number in range(4000))
LARGE = b"".join(b"line %d of a very large file\n" % number for number in range(200_000))

CHANGED = {
    "in the middle": OLD.replace(b"line 2000 of", b"another line of"),
    "at the beginning": b"#!/bin/sh\n" + OLD,
    "at the end": OLD + b"'quotes' and \\ %s\n",
    "cut at the end": OLD[:-500],
    "cut at the beginning": OLD[500:],
    "cut in the middle": OLD[:40_000] + OLD[41_000:],
    "not plain": OLD[:40_000] + "ä\0\r\n".encode() + OLD[40_000:],
    "doubled": OLD + OLD,
    "something else": OLD[::-1],
    "nothing left": b"",
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests made of control shells."""
    scripts: list[str] = []
    request = ControlShell.request

    async def noted(shell: ControlShell, script: str, **options: Any) -> Reply:
        scripts.append(script)
        return await request(shell, script, **options)

    monkeypatch.setattr(ControlShell, "request", noted)
    return scripts


def built(old: bytes, new: bytes) -> bytes:
    parts = difference(old, new)
    return new if parts is None else old[: parts.before] + parts.new + old[len(old) - parts.after :]


@pytest.mark.unit
@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
@example(b"aa", b"a", b"")
@example(b"", b"", b"aaaa")
def test_what_is_put_together_is_the_new_content(start: bytes, middle: bytes, end: bytes) -> None:
    worth, module._WORTH_BYTES = module._WORTH_BYTES, 4
    try:
        for old, new in ((start + end, start + middle + end), (start + middle + end, start + end), (start, end)):
            assert built(old, new) == new
    finally:
        module._WORTH_BYTES = worth


@pytest.mark.unit
def test_only_what_spares_much_is_put_together() -> None:
    assert difference(None, OLD) is None
    assert difference(OLD, OLD[::-1]) is None
    assert difference(b"short\n", b"shorter\n") is None
    parts = difference(OLD, CHANGED["in the middle"])
    assert parts is not None and len(parts.new) < 20


async def change(host: Host, paths: Sequence[Path], new: bytes) -> None:
    fetched = await host.files.fetch([Fetch(str(path)) for path in paths])
    await host.files.apply([Change(f.path, f.version, new, base=f.content) for f in fetched if f.version])


@pytest.mark.parametrize("new", CHANGED.values(), ids=CHANGED)
async def test_what_stands_there_is_what_was_meant(local: Host, tmp_path: Path, sent: list[str], new: bytes) -> None:
    paths = [tmp_path / name for name in ("one", "it's two")]
    for some in (paths[:1], paths):
        for number, path in enumerate(paths):
            path.write_bytes(OLD)
            path.chmod(0o640 + number)
        sent.clear()
        await change(local, some, new)
        assert {path.read_bytes() for path in some} == {new}
        assert [path.stat().st_mode & 0o777 for path in some] == [0o640, 0o641][: len(some)]
        if difference(OLD, new) is not None and new != OLD + OLD:
            assert sum(map(len, sent)) < 20_000
    assert leftovers(tmp_path) == []


async def test_a_small_change_of_a_very_large_file_is_not_uploaded(host: Host, tmp_path: Path, sent: list[str]) -> None:
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    fetched = await host.files.fetch_one(str(path))
    assert fetched.version is not None
    new = LARGE.replace(b"line 77777 of", b"changed: line 77777 of")
    sent.clear()
    await host.files.apply([Change(str(path), fetched.version, new, base=LARGE)])
    assert path.read_bytes() == new
    assert len(sent) == 1 and len(sent[0]) < 20_000


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("theirs", [b"theirs\n", OLD + b"theirs\n", b""], ids=["short", "longer", "empty"])
async def test_law3_a_file_that_has_changed_is_a_conflict(
    local: Host, tmp_path: Path, several: bool, theirs: bytes
) -> None:
    path, other = tmp_path / "f", tmp_path / "g"
    path.write_bytes(OLD)
    other.write_bytes(OLD + b"g")
    fetched = await local.files.fetch([Fetch(str(name)) for name in ([path, other] if several else [path])])
    path.write_bytes(theirs)
    asked = [
        Change(f.path, f.version, b"new\n" + f.content, base=f.content) for f in fetched if f.version and f.content
    ]
    with pytest.raises(VersionConflict) as caught:
        await local.files.apply(asked)
    assert [(file.path, file.content) for file in caught.value.current] == [(str(path), theirs)]
    assert (path.read_bytes(), other.read_bytes()) == (theirs, OLD + b"g")
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("program", ["head", "tail"])
async def test_law2_what_is_put_together_otherwise_is_not_put_in_place(
    tmp_path: Path, program: str, several: bool
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    paths = [work / "f", work / "g"][: 1 + several]
    for path in paths:
        path.write_bytes(OLD)
    async with lying(tmp_path, program, '"$REAL" "$@" | sed s/line/lime/; exit 0') as host:
        fetched = await host.files.fetch([Fetch(str(path)) for path in paths])
        (tmp_path / "lies").touch()
        new = CHANGED["in the middle"]
        with pytest.raises(UnverifiedWriteError):
            await host.files.apply([Change(f.path, f.version, new, base=OLD) for f in fetched if f.version])
    assert {path.read_bytes() for path in paths} == {OLD}
    assert leftovers(work) == []


async def test_without_head_all_of_it_is_sent(userland: Userland, tmp_path: Path, sent: list[str]) -> None:
    path = tmp_path / "f"
    path.write_bytes(OLD)
    async with connected(userland()) as host:
        host.files.use_facts(replace(host.facts, head_c=False))
        sent.clear()
        await change(host, [path], CHANGED["in the middle"])
    assert path.read_bytes() == CHANGED["in the middle"]
    assert sum(map(len, sent)) > len(OLD)
