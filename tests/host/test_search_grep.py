"""Lines by content on every kind of remote: the same lines as ripgrep, whatever the files are called. Row D18."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from pybridge.errors import RemoteTimeoutError, SearchError
from pybridge.host.search.grep_rg import RECORD_LIMIT
from tests.host.test_search_glob import HOSTILE
from tests.kit.counterparts import need
from tests.kit.local_scripts import KINDS, LocalRemote, local_remote


@pytest.fixture(params=[kind for kind in KINDS if kind != "no stat"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> LocalRemote:
    """Each kind of remote in turn."""
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


def _write(tree: Path, name: str, content: bytes) -> None:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


async def _found(remote: LocalRemote, tree: Path, pattern: str, include: str | None = None) -> list[str]:
    """`path:line:text` of each match, paths relative to the tree, sorted."""
    result = await remote.search.grep(pattern, str(tree), include=include)
    assert not result.truncated
    assert all(match.path.startswith(f"{tree}/") for match in result.matches)
    return sorted(f"{m.path[len(str(tree)) + 1 :]}:{m.line}:{m.text}" for m in result.matches)


async def test_lines_with_their_numbers(remote: LocalRemote, tree: Path) -> None:
    _write(tree, "a.txt", b"one\nneedle 1\n\nneedle: 2\nlast needle")
    _write(tree, "sub/b.txt", b"needle\r\n  indented needle  \r\n")
    _write(tree, "c.txt", b"nothing\n")
    assert await _found(remote, tree, "needle") == [
        "a.txt:2:needle 1",
        "a.txt:4:needle: 2",
        "a.txt:5:last needle",
        "sub/b.txt:1:needle",
        "sub/b.txt:2:  indented needle  ",
    ]


async def test_how_a_line_ends(remote: LocalRemote, tree: Path) -> None:
    """Only ripgrep tells that no newline ends the last line."""
    _write(tree, "a", b"needle\r\nneedle\nneedle")
    result = await remote.search.grep("needle", str(tree))
    assert [match.text for match in result.matches] == ["needle"] * 3
    assert [match.end for match in result.matches] == ["\r\n", "\n", "" if remote.facts.rg else "\n"]


async def test_ignored_files_are_left_out_and_hidden_ones_are_not(remote: LocalRemote, tree: Path) -> None:
    (tree / ".git").mkdir()
    for name in ("a", "node_modules/m/b", ".hidden/c", ".git/d", "x.log", "sub/y.tmp"):
        _write(tree, name, b"needle\n")
    (tree / ".gitignore").write_text("node_modules/\n*.log\n")
    (tree / "sub/.ignore").write_text("*.tmp\n")
    assert await _found(remote, tree, "needle") == [".hidden/c:1:needle", "a:1:needle"]


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("*.{ts,tsx}", ["a.ts", "sub/b.tsx"]),
        ("sub/**", ["sub/b.tsx", "sub/c.py"]),
        ("!*.py", ["a.ts", "sub/b.tsx"]),
        ("*.py", ["sub/c.py"]),
        ("*.none", []),
    ],
)
async def test_include(remote: LocalRemote, tree: Path, include: str, expected: list[str]) -> None:
    for name in ("a.ts", "sub/b.tsx", "sub/c.py"):
        _write(tree, name, b"needle\n")
    assert await _found(remote, tree, "needle", include) == [f"{name}:1:needle" for name in expected]


async def test_a_file_is_searched_alone(remote: LocalRemote, tree: Path) -> None:
    (tree / ".git").mkdir()
    (tree / ".gitignore").write_text("*.log\n")
    _write(tree, "x.log", b"no\nneedle\n")
    _write(tree, "other", b"needle\n")
    result = await remote.search.grep("needle", str(tree / "x.log"), include="*.py")
    assert [(m.path, m.line, m.text) for m in result.matches] == [(f"{tree}/x.log", 2, "needle")]


async def test_bytes_that_are_not_utf8_fail_nothing(remote: LocalRemote, tree: Path) -> None:
    _write(tree, "latin", b"caf\xe9 needle\nneedle \xff\xfe\n")
    _write(tree, "utf8", "café needle\n".encode())
    assert await _found(remote, tree, "needle") == [
        "latin:1:caf\ufffd needle",
        "latin:2:needle \ufffd\ufffd",
        "utf8:1:café needle",
    ]


async def test_characters_beyond_ascii(remote: LocalRemote, tree: Path) -> None:
    _write(tree, "utf8", "café\nthé\nno\n".encode())
    assert await _found(remote, tree, "(caf|th)é$") == ["utf8:1:café", "utf8:2:thé"]


async def test_binary_files_are_left_out(remote: LocalRemote, tree: Path) -> None:
    _write(tree, "binary", b"\0\1\2 needle\n")
    _write(tree, "text", b"needle\n")
    _write(tree, "empty", b"")
    assert await _found(remote, tree, "needle") == ["text:1:needle"]


async def test_names_come_back_as_they_are(remote: LocalRemote, tree: Path) -> None:
    for name in HOSTILE:
        _write(tree, name, b"x\nneedle:1:2\n")
        _write(tree, f"dir {name}/{name}", b"needle\n")
    result = await remote.search.grep("needle", str(tree))
    names = {m.path[len(str(tree)) + 1 :]: m.line for m in result.matches}
    assert names == {name: 2 for name in HOSTILE} | {f"dir {name}/{name}": 1 for name in HOSTILE}
    assert not any(path.name == "pwned" for path in tree.rglob("*"))


@pytest.mark.parametrize("name", ["it's $(touch pwned)", "-dash", " space ", "new\nline", "`x`", "a%b", "*"])
async def test_a_root_of_any_name(remote: LocalRemote, tree: Path, name: str) -> None:
    _write(tree, f"{name}/file", b"needle\n")
    for root in (tree / name, tree / name / "file"):
        result = await remote.search.grep("needle", str(root))
        assert [m.path for m in result.matches] == [f"{tree}/{name}/file"]


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("-v", "a -v b"),
        ("--help", "x --help"),
        (r"\$\(touch pwned\)", "$(touch pwned)"),
        ("`touch pwned`", "`touch pwned`"),
        ("it's", "it's"),
        ('"q" @EACH@', '"q" @EACH@'),
        (r"\\n", "a\\nb"),
        ("é", "é"),
    ],
)
async def test_a_pattern_is_only_a_pattern(remote: LocalRemote, tree: Path, pattern: str, line: str) -> None:
    _write(tree, "file", f"other\n{line}\n".encode())
    assert await _found(remote, tree, pattern) == [f"file:2:{line}"]
    assert not any(path.name == "pwned" for path in tree.rglob("*"))


@pytest.mark.parametrize("pattern", ["(foo", "[a", "*a", "(?=a)", r"(a)\1", "a\nb"])
async def test_a_bad_pattern_is_said(remote: LocalRemote, tree: Path, pattern: str) -> None:
    _write(tree, "file", b"foo\n")
    with pytest.raises(SearchError, match=r"error|not allowed"):
        await remote.search.grep(pattern, str(tree))


async def test_other_things_that_cannot_be_searched(remote: LocalRemote, tree: Path) -> None:
    os.mkfifo(tree / "fifo")
    _write(tree, "file", b"needle\n")
    assert await _found(remote, tree, "needle") == ["file:1:needle"]
    with pytest.raises(SearchError, match=r"No such file or directory: .*/nowhere"):
        await remote.search.grep("x", str(tree / "nowhere"))
    with pytest.raises(SearchError, match=r"Not a regular file or folder: .*/fifo"):
        await remote.search.grep("x", str(tree / "fifo"))
    with pytest.raises(SearchError, match="NUL"):
        await remote.search.grep("a\0b", str(tree))
    with pytest.raises(SearchError, match="unclosed alternate"):
        await remote.search.grep("needle", str(tree), include="*.{ts")


async def test_limit(remote: LocalRemote, tree: Path) -> None:
    for number in range(4):
        _write(tree, f"f{number}", b"needle\n" * 5)
    all_of_them = await remote.search.grep("needle", str(tree), limit=20)
    some = await remote.search.grep("needle", str(tree), limit=19)
    few = await remote.search.grep("needle", str(tree / "f1"), limit=3)
    assert (len(all_of_them.matches), all_of_them.truncated) == (20, False)
    assert (len(some.matches), some.truncated) == (19, True)
    assert ([m.line for m in few.matches], few.truncated) == ([1, 2, 3], True)


@pytest.mark.parametrize("fill", ["x", "é", '"', "\\", "\x01", "😀"])
async def test_an_endless_line_is_cut_on_the_remote(remote: LocalRemote, tree: Path, fill: str) -> None:
    _write(tree, "min.js", b"short needle\n" + b"needle" + fill.encode() * RECORD_LIMIT + b"\nneedle\n")
    result = await remote.search.grep("needle", str(tree))
    assert [m.line for m in result.matches] == [1, 2, 3]
    text = result.matches[1].text
    assert text.startswith("needle" + fill * 2000)
    assert len(text) < RECORD_LIMIT
    assert set(text[6:]) <= {fill, "\ufffd"}


async def test_an_endless_line_that_is_not_utf8(tree: Path, tmp_path: Path) -> None:
    _write(tree, "data", b"needle\xff" + b"x" * RECORD_LIMIT * 2 + b"\n")
    result = await _remote("rg", tmp_path).search.grep("needle", str(tree))
    assert [m.text[:3000] for m in result.matches] == ["needle\ufffd" + "x" * 2993]


async def test_a_search_with_enough_matches_is_ended(tree: Path, tmp_path: Path) -> None:
    remote = _remote("rg", tmp_path)
    match = {"path": {"text": "./a"}, "lines": {"text": "needle\n"}, "line_number": 7, "absolute_offset": 0}
    event = json.dumps({"type": "match", "data": {**match, "submatches": []}}, separators=(",", ":"))
    endless = tmp_path / "endless"
    endless.write_text(
        f"#!/bin/sh\nfor i in 1 2 3 4 5 6; do printf '%s\\n' '{event}'; done\nexec {need('sleep')} 300\n"
    )
    endless.chmod(0o755)
    object.__setattr__(remote.facts, "rg", str(endless))
    result = await remote.search.grep("needle", str(tree), limit=3)
    assert (len(result.matches), result.truncated) == (3, True)
    listing = subprocess.run([need("ps"), "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    groups = {int(line.split()[0]) for line in listing.splitlines() if not line.split()[1].startswith("Z")}
    assert not groups & set(remote.run.pids)


async def test_an_unreadable_answer_is_an_error(tree: Path, tmp_path: Path) -> None:
    remote = _remote("rg", tmp_path)
    broken = tmp_path / "broken"
    broken.write_text("""#!/bin/sh\necho '{"type":"match","data":{"path'\n""")
    broken.chmod(0o755)
    object.__setattr__(remote.facts, "rg", str(broken))
    with pytest.raises(SearchError, match="unreadable"):
        await remote.search.grep("needle", str(tree))


async def test_the_deadline_ends_a_search(tree: Path, tmp_path: Path) -> None:
    remote = _remote("rg", tmp_path)
    stuck = tmp_path / "stuck"
    stuck.write_text(f"#!/bin/sh\nexec {need('sleep')} 300\n")
    stuck.chmod(0o755)
    object.__setattr__(remote.facts, "rg", str(stuck))
    with pytest.raises(RemoteTimeoutError, match=r"0\.5 seconds"):
        await remote.search.grep("needle", str(tree), timeout=0.5)
