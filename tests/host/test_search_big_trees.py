"""What searches cost on big trees: one script each, a bounded answer, and the same files and lines all the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pybridge.host.search import glob, newest_first
from tests.host.test_search_glob import HOSTILE
from tests.kit.local_scripts import KINDS, LocalRemote, local_remote

MANY = 1500
RECORD = 100
"""Bytes that a path of these trees and its time take at most."""


@pytest.fixture(params=KINDS)
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> LocalRemote:
    """Each kind of remote in turn."""
    (tmp_path / "machine").mkdir()
    return local_remote(request.param, tmp_path / "machine")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository whose rules hide `hidden/` and `*.log`."""
    folder = tmp_path / "tree"
    (folder / ".git").mkdir(parents=True)
    _write(folder, ".gitignore", "hidden/\n*.log\n")
    for name in ("a.py", "hidden/b.py", "sub/c.py", "sub/d.log"):
        _write(folder, name, "needle\n")
    return folder


def _write(tree: Path, name: str, text: str) -> None:
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text(text)


def _aged(tree: Path, name: str, age: int) -> None:
    _write(tree, name, "needle\n")
    os.utime(tree / name, ns=(0, 1_700_000_000_000_000_000 - age * 1_000_000))


class Searching:
    """The searches of one host, kept from call to call as the host keeps them."""

    def __init__(self, remote: LocalRemote, tree: Path) -> None:
        self._run = remote.run
        self._tree = tree
        self.search = remote.search
        self.scripts = 0

    async def glob(self, pattern: str) -> list[str]:
        before = len(self._run.scripts)
        found = await self.search.glob(pattern, str(self._tree))
        self.scripts = len(self._run.scripts) - before
        return sorted(path.removeprefix(f"{self._tree}/") for path in found.paths)

    async def grep(self, pattern: str) -> list[str]:
        before = len(self._run.scripts)
        found = await self.search.grep(pattern, str(self._tree))
        self.scripts = len(self._run.scripts) - before
        return sorted(match.path.removeprefix(f"{self._tree}/") for match in found.matches)


def _one_script(remote: LocalRemote) -> bool:
    """Whether ripgrep, which knows the rules by itself, serves both searches there."""
    return remote.facts.rg is not None


async def test_a_search_is_one_script_and_the_first_one_without_ripgrep_two(remote: LocalRemote, tree: Path) -> None:
    searching = Searching(remote, tree)
    for first in (True, False, False):
        assert await searching.glob("**/*.py") == ["a.py", "sub/c.py"]
        assert searching.scripts == (2 if first and not _one_script(remote) else 1)
        assert await searching.grep("needle") == ["a.py", "sub/c.py"]
        assert searching.scripts == 1


async def test_rules_that_have_changed_since_the_last_search_are_heeded(remote: LocalRemote, tree: Path) -> None:
    searching = Searching(remote, tree)
    assert await searching.grep("needle") == ["a.py", "sub/c.py"]
    _write(tree, ".gitignore", "hidden/\n")
    assert await searching.grep("needle") == ["a.py", "sub/c.py", "sub/d.log"]
    _write(tree, "sub/.ignore", "c.py\n")
    assert await searching.grep("needle") == ["a.py", "sub/d.log"]
    assert await searching.glob("!*.zzz") == ["a.py", "sub/d.log"]
    (tree / ".git").rmdir()
    assert await searching.glob("!*.zzz") == ["a.py", "hidden/b.py", "sub/d.log"]
    (tree / "sub/.ignore").unlink()
    assert await searching.grep("needle") == ["a.py", "hidden/b.py", "sub/c.py", "sub/d.log"]
    assert await searching.grep("needle") == ["a.py", "hidden/b.py", "sub/c.py", "sub/d.log"]
    assert searching.scripts == 1


async def test_only_what_is_shown_crosses_the_link(remote: LocalRemote, tree: Path) -> None:
    for number in range(MANY):
        _aged(tree, f"d{number % 9}/f{number:05}.ts", number)
    found = await remote.search.glob("**/*.ts", str(tree))
    assert (len(found.paths), found.truncated) == (100, True)
    assert remote.run.printed[-1] <= 101 * RECORD
    lines = await remote.search.grep("needle", str(tree), include="*.ts")
    assert (len(lines.matches), lines.truncated) == (100, True)
    each = 400 if remote.facts.rg else RECORD  # a record of ripgrep's says more
    assert remote.run.printed[-1] <= 101 * each


@pytest.mark.parametrize("shown", [20, 900])
async def test_what_find_tells_nearly_crosses_in_part(
    remote: LocalRemote, tree: Path, monkeypatch: pytest.MonkeyPatch, shown: int
) -> None:
    """The newest files are those that only the exact rules hide."""
    monkeypatch.setattr(glob, "MANY", 1000)
    _write(tree, ".gitignore", "h*/i*/*.ts\n")
    for number in range(MANY):
        name = f"h{number % 9}/i/f{number:05}.ts" if number >= shown else f"sub/f{number:05}.ts"
        _aged(tree, name, (number - shown) % MANY if shown < 100 else number)
    found = await remote.search.glob("!*.py", str(tree))
    names = [path.removeprefix(f"{tree}/") for path in found.paths]
    files = {f"sub/f{n:05}.ts" for n in range(shown)} | {"sub/d.log"}
    if shown < 100:
        assert (set(names), found.truncated) == (files, False)
    else:
        assert set(names) <= files
        assert (len(names), found.truncated) == (100, True)
        assert all(size <= 1000 * RECORD for size in remote.run.printed)


async def test_in_whichever_batch_a_file_is_the_order_is_by_time_then_path(
    remote: LocalRemote, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if remote.name == "no stat":
        pytest.skip("it knows the order within a batch only")
    monkeypatch.setattr(newest_first, "BATCH", 20)
    tree /= "aged"
    ages = {f"x/{name}": 7 for name in HOSTILE} | {f"d{n % 7}/f{n}": n * 7919 % 300 for n in range(600)}
    for name, age in ages.items():
        _aged(tree, name, age)
    # A newline in a name sorts as NUL where NUL ends a name, and as the escape %0A elsewhere: among HOSTILE alike.
    expected = sorted(ages, key=lambda name: (ages[name], os.fsencode(name)))
    for limit in (5, 30, 200):
        found = await remote.search.glob("**", str(tree), limit=limit)
        names = [path.removeprefix(f"{tree}/") for path in found.paths]
        assert [ages[name] for name in names] == [ages[name] for name in expected[:limit]]
        plain = [name for name in names if not name.startswith("x/")]
        assert plain == [name for name in expected if not name.startswith("x/")][: len(plain)]
    assert {name for name in names if name.startswith("x/")} == {f"x/{name}" for name in HOSTILE}


async def test_lines_that_several_greps_find_are_not_mixed(remote: LocalRemote, tree: Path) -> None:
    expected = set()
    for number in range(MANY):
        name = f"{'long' * (1 + number % 40)}/f{number:05}"
        _write(tree, name, f"hay\nneedle {number}\n")
        expected.add((f"{tree}/{name}", 2, f"needle {number}"))
    found = await remote.search.grep("needle [0-9]", str(tree), limit=2 * MANY)
    assert {(match.path, match.line, match.text) for match in found.matches} == expected
    assert len(found.matches) == MANY


async def test_an_include_is_about_bytes(remote: LocalRemote, tree: Path) -> None:
    name = os.fsdecode(b"latin\xe9.txt")
    _write(tree, name, "needle\n")
    found = await remote.search.grep("needle", str(tree), include="*.txt")
    assert [match.path for match in found.matches] == [f"{tree}/{name}"]


async def test_what_follows_binary_data_is_not_text(remote: LocalRemote, tree: Path) -> None:
    (tree / "binary later").write_bytes(b"hay\n" * 40_000 + b"\0\nneedle\n")
    found = await remote.search.grep("needle", str(tree), include="binary*")
    assert found.matches == ()


async def test_one_binary_file_among_many_takes_no_other_with_it(remote: LocalRemote, tree: Path) -> None:
    names = [f"many/f{number:02}" for number in range(60)] + ["many/colon:1:x", "many/new\nline"]
    for name in names:
        _write(tree, name, "hay\nneedle\n" * 2)
    (tree / "many/f30x").write_bytes(b"\0needle\n")
    found = await remote.search.grep("needle", str(tree / "many"), limit=500)
    lines = sorted((match.path.removeprefix(f"{tree}/"), match.line) for match in found.matches)
    assert lines == sorted((name, line) for name in names for line in (2, 4))
