"""Files by name on every kind of remote: the same files as ripgrep, newest first, whatever they are called. Row D17."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from pybridge.errors import CancelledByUserError, NotDirectoryError, RemoteTimeoutError, SearchError
from tests.kit.counterparts import need
from tests.kit.local_scripts import KINDS, LocalRemote, local_remote

TIMED = [kind for kind in KINDS if kind != "no stat"]

HOSTILE = [
    " leading",
    "trailing ",
    "new\nline",
    "\nfirst",
    "last\n",
    "two\n\nlines",
    "-rf",
    "--",
    "quote'quote",
    'double"quote',
    "$(touch pwned)",
    "`touch pwned`",
    "back\\slash",
    "percent%0A%s",
    "star*",
    "[bracket]",
    "{brace}",
    "tab\there",
    "é",
    "soh\x01here",
    "colon:1:x",
    os.fsdecode(b"latin\xe9"),
    "#hash",
    "!bang",
]


@pytest.fixture(params=KINDS)
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> LocalRemote:
    """Each kind of remote in turn."""
    return _remote(request.param, tmp_path)


@pytest.fixture(params=TIMED)
def timed_remote(request: pytest.FixtureRequest, tmp_path: Path) -> LocalRemote:
    """Each kind of remote that can tell times."""
    return _remote(request.param, tmp_path)


def _remote(kind: str, tmp_path: Path) -> LocalRemote:
    (tmp_path / "machine").mkdir()
    return local_remote(kind, tmp_path / "machine")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty folder to search."""
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


def _write(tree: Path, *names: str) -> None:
    for name in names:
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, errors="surrogateescape")


def _aged(tree: Path, name: str, seconds: float) -> None:
    _write(tree, name)
    os.utime(tree / name, ns=(0, int(seconds * 1e9)))


async def _names(remote: LocalRemote, tree: Path, pattern: str, limit: int = 100) -> list[str]:
    result = await remote.search.glob(pattern, str(tree), limit=limit)
    assert all(path.startswith(f"{tree}/") for path in result.paths)
    return [path[len(str(tree)) + 1 :] for path in result.paths]


async def test_newest_first_and_parts_of_a_second_count(timed_remote: LocalRemote, tree: Path) -> None:
    _aged(tree, "old.py", 1_600_000_000)
    _aged(tree, "sub/second.py", 1_700_000_000.25)
    _aged(tree, "newest.py", 1_700_000_000.5)
    _aged(tree, "before the billion.py", 999_999_999.5)
    _aged(tree, "other.txt", 1_800_000_000)
    assert await _names(timed_remote, tree, "**/*.py") == [
        "newest.py",
        "sub/second.py",
        "old.py",
        "before the billion.py",
    ]


async def test_newest_first_without_any_stat(tree: Path, tmp_path: Path) -> None:
    remote = _remote("no stat", tmp_path)
    for age, name in enumerate(["c", "a/x", "b"]):
        _aged(tree, name, 1_700_000_000 - 100 * age)
    assert await _names(remote, tree, "**") == ["c", "a/x", "b"]


async def test_same_time_by_path(timed_remote: LocalRemote, tree: Path) -> None:
    for name in ("b", "a/z", "c", "a/b"):
        _aged(tree, name, 1_700_000_000)
    assert await _names(timed_remote, tree, "*") == ["a/b", "a/z", "b", "c"]


async def test_the_newest_of_five_thousand(timed_remote: LocalRemote, tree: Path) -> None:
    order = list(range(5000))
    random.Random(7).shuffle(order)
    for number, age in enumerate(order):
        path = tree / f"d{number % 50}" / f"f{number}.{'ts' if number % 2 else 'py'}"
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, ns=(0, 1_700_000_000_000_000_000 - age * 1_000_000))
    by_age = sorted(range(5000), key=lambda number: order[number])
    expected = [f"d{n % 50}/f{n}.ts" for n in by_age if n % 2][:100]
    result = await timed_remote.search.glob("**/*.ts", str(tree))
    assert [path[len(str(tree)) + 1 :] for path in result.paths] == expected
    assert result.truncated


async def test_limit(remote: LocalRemote, tree: Path) -> None:
    _write(tree, "a", "b", "c")
    three = await remote.search.glob("*", str(tree), limit=3)
    two = await remote.search.glob("*", str(tree), limit=2)
    assert (len(three.paths), three.truncated) == (3, False)
    assert (len(two.paths), two.truncated) == (2, True)


async def test_names_come_back_as_they_are(remote: LocalRemote, tree: Path) -> None:
    _write(tree, *HOSTILE, *(f"dir {name}/{name}" for name in HOSTILE))
    expected = sorted([*HOSTILE, *(f"dir {name}/{name}" for name in HOSTILE)])
    assert sorted(await _names(remote, tree, "**")) == expected
    assert not _pwned(tree)


@pytest.mark.parametrize("name", ["it's $(touch pwned)", "-dash", " space ", "new\nline", "`x`", "a%b", "*"])
async def test_a_root_of_any_name(remote: LocalRemote, tree: Path, name: str) -> None:
    _write(tree, f"{name}/sub/file.py")
    result = await remote.search.glob("*.py", str(tree / name))
    assert result.paths == (f"{tree}/{name}/sub/file.py",)


@pytest.mark.parametrize("pattern", ["-x*", "$(touch pwned)*", "`touch pwned`", "it's*", 'say "x"', "a b*"])
async def test_a_pattern_is_only_a_pattern(remote: LocalRemote, tree: Path, pattern: str) -> None:
    name = pattern.replace("*", "1")
    _write(tree, name, "other")
    assert await _names(remote, tree, pattern) == [name]
    assert not _pwned(tree)


async def test_ignore_files_hidden_names_and_what_overrides_them(remote: LocalRemote, tree: Path) -> None:
    (tree / ".git").mkdir()
    _write(tree, "src/a.js", "node_modules/m/i.js", ".hidden/h.js", ".top.js", "x.log", ".git/hook.js")
    (tree / ".gitignore").write_text("node_modules/\n*.log\n")
    assert sorted(await _names(remote, tree, "**/*.js")) == [".top.js", "src/a.js"]
    assert await _names(remote, tree, "*.log") == ["x.log"]
    assert sorted(await _names(remote, tree, "**/*")) == [
        ".gitignore",
        ".hidden/h.js",
        ".top.js",
        "node_modules/m/i.js",
        "src/a.js",
        "x.log",
    ]
    assert sorted(await _names(remote, tree, "!*.js")) == []


async def test_unreadable_folders_are_skipped(remote: LocalRemote, tree: Path) -> None:
    _write(tree, "open/a", "loop/x")
    (tree / "dangling").symlink_to("nowhere")
    (tree / "linked").symlink_to("open")
    (tree / "loop/self").symlink_to(tree)
    assert sorted(await _names(remote, tree, "**")) == ["loop/x", "open/a"]


async def test_a_missing_root_is_named(remote: LocalRemote, tree: Path) -> None:
    with pytest.raises(SearchError, match=r"No such file or directory: .*/tree/nowhere"):
        await remote.search.glob("*", str(tree / "nowhere"))


async def test_a_file_is_no_root(remote: LocalRemote, tree: Path) -> None:
    _write(tree, "file")
    with pytest.raises(NotDirectoryError, match=r"Not a directory: .*/tree/file"):
        await remote.search.glob("*.py", str(tree / "file"))


async def test_a_bad_pattern_is_said(remote: LocalRemote, tree: Path) -> None:
    with pytest.raises(SearchError, match="unclosed alternate group"):
        await remote.search.glob("*.{ts,tsx", str(tree))
    with pytest.raises(SearchError, match="NUL"):
        await remote.search.glob("a\0b", str(tree))
    with pytest.raises(SearchError, match="absolute"):
        await remote.search.glob("*", "relative")


async def test_nothing_found(remote: LocalRemote, tree: Path) -> None:
    assert (await remote.search.glob("*.py", str(tree))).paths == ()


async def test_the_deadline_ends_a_search_and_all_its_processes(tree: Path, tmp_path: Path) -> None:
    remote = _remote("gnu", tmp_path)
    _stuck(tmp_path / "machine/gnu/find", tmp_path / "started")
    with pytest.raises(RemoteTimeoutError, match=str(tree)):
        await remote.search.glob("*", str(tree), timeout=0.5)
    assert not _alive(remote)


async def test_abort_ends_a_search_and_all_its_processes(tree: Path, tmp_path: Path) -> None:
    remote = _remote("gnu", tmp_path)
    started = tmp_path / "started"
    _stuck(tmp_path / "machine/gnu/find", started)
    abort = asyncio.Event()
    searching = asyncio.ensure_future(remote.search.glob("*", str(tree), abort=abort))
    await asyncio.to_thread(_wait_for, started)
    abort.set()
    with pytest.raises(CancelledByUserError):
        await searching
    assert not _alive(remote)
    with pytest.raises(CancelledByUserError):
        await remote.search.glob("*", str(tree), abort=abort)


def _pwned(tree: Path) -> bool:
    """Whether a name or a pattern was executed."""
    return any(p.name == "pwned" for p in tree.rglob("*")) or Path("/pwned").exists()


def _wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def _stuck(program: Path, started: Path) -> None:
    program.unlink()
    program.write_text(f"#!/bin/sh\n: > {started}\nexec {need('sleep')} 300\n")
    program.chmod(0o755)


def _alive(remote: LocalRemote) -> list[int]:
    """Process groups of the remote's scripts that still have a living member, after time to be gone for the killed."""
    deadline = time.monotonic() + 5
    while True:
        listing = subprocess.run([need("ps"), "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
        groups = {int(line.split()[0]) for line in listing.splitlines() if not line.split()[1].startswith("Z")}
        found = [pid for pid in remote.run.pids if pid in groups]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)
