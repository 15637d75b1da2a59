"""Which files a search sees without ripgrep: generated trees and ignore files, compared with ripgrep itself."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from pybridge.host.search.find_tests import file_tests
from pybridge.host.search.ignore_rules import IgnoreFile, RuleSource, Visibility
from tests.kit.counterparts import need
from tests.kit.local_scripts import local_remote


def _visibility(rules: bytes, **options) -> Visibility:
    file = IgnoreFile.parse(RuleSource.GITIGNORE, b"/r", rules)
    return Visibility(b"/r", files=[file], repositories=frozenset([b"/r"]), **options)


@pytest.mark.unit
def test_the_last_rule_that_matches_decides() -> None:
    visibility = _visibility(b"*.log\n!keep.log\n\n# comment\nbuild/\r\n")
    assert not visibility.shows(b"a/x.log")
    assert visibility.shows(b"a/keep.log")
    assert not visibility.shows(b"build/keep.log")  # nothing below an ignored folder is seen
    assert visibility.shows(b"build")  # a file of that name is


@pytest.mark.unit
def test_gitignore_says_nothing_outside_a_repository() -> None:
    file = IgnoreFile.parse(RuleSource.GITIGNORE, b"/r", b"*.log\n")
    assert Visibility(b"/r", files=[file]).shows(b"x.log")


@pytest.mark.unit
def test_what_remains_for_find_is_said_to_be_exact_or_not() -> None:
    assert file_tests(_visibility(b"node_modules/\n*.log\n/dist\n")).exact
    assert not file_tests(_visibility(b"a*/b*/c\n")).exact


@pytest.mark.unit
def test_too_many_rules_are_left_to_the_exact_ones() -> None:
    rules = b"".join(b"name-%d\n" % n for n in range(5000)) + b"!spared\n"
    tests = file_tests(_visibility(rules))
    assert not tests.exact
    assert len(tests.text) < 100_000
    assert "spared" in tests.text


_NAMES = ["a", "b", "c", "x.js", "y.ts", ".h", "build", "é"]
_RULES = (
    "a|b/|*.js|/a|a/b|!x.js|!a/|build|/*/c|**/b|a/**|!*.ts|[ab]|.h|!.h|*|!*/|/b/x.js|a/*/x.js|{a,b}/c|é|c/**/a|/a/b/c"
).split("|")
_GLOBS = (
    "* ** **/* *.js **/*.js a/** a/*.js /a/* *.{js,ts} !*.js !a a b/** **/b/** [a-c]/* {a,b}/**/*.js .h .* !.h a? ?/** "
    "c/**/x.js !/a/b é a/ !b/ [!a]/*"
).split()


def _make_tree(chance: random.Random, top: Path) -> None:
    for _ in range(60):
        path = top.joinpath(*(chance.choice(_NAMES) for _ in range(chance.randint(1, 5))))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError:
            continue  # a file where this one needs a folder, or the other way round
    folders = [top, *(p for p in top.rglob("*") if p.is_dir())]
    for name, count in ((".gitignore", 5), (".ignore", 2), (".rgignore", 1)):
        for folder in chance.sample(folders, min(count, len(folders))):
            rules = [chance.choice(_RULES) for _ in range(chance.randint(1, 4))]
            (folder / name).write_text("\n".join(rules) + "\n")
    for folder in [top, *chance.sample(folders, 2)] if chance.random() < 0.8 else chance.sample(folders, 1):
        (folder / ".git/info").mkdir(parents=True, exist_ok=True)
        (folder / ".git/HEAD").touch()
        (folder / ".git/info/exclude").write_text(chance.choice(_RULES) + "\n")


@pytest.mark.parametrize("kind", ["gnu", "busybox"])
@pytest.mark.parametrize("seed", range(4))
async def test_generated_trees_show_what_ripgrep_shows(seed: int, kind: str, tmp_path: Path) -> None:
    rg = need("rg")
    chance = random.Random(seed)
    top = tmp_path / "top"
    top.mkdir()
    _make_tree(chance, top)
    (tmp_path / "machine").mkdir()
    remote = local_remote(kind, tmp_path / "machine")
    (tmp_path / "machine/home/.config/git").mkdir(parents=True)
    (tmp_path / "machine/home/.config/git/ignore").write_text("build\n")
    inside = [p for p in sorted(top.rglob("*")) if p.is_dir() and ".git" not in p.parts]
    roots = [top, *chance.sample(inside, min(1, len(inside)))]
    found = 0
    for root in roots:
        for glob in chance.sample(_GLOBS, 10):
            expected = _rg_files(rg, root, glob, remote.run.home)
            result = await remote.search.glob(glob, str(root), limit=100_000)
            assert sorted(map(os.fsencode, result.paths)) == expected, f"glob {glob!r} in {root}"
            found += len(expected)
    for include in (None, *chance.sample(_GLOBS, 3)):
        flags = ["--hidden", f"--glob={include or ''}"]
        expected = _rg_files(rg, top, include or "", remote.run.home, "--hidden")
        for path in expected:
            Path(os.fsdecode(path)).write_text("needle\n") if b"ignore" not in path else None
        result = await remote.search.grep("needle", str(top), include=include, limit=100_000)
        wanted = [p for p in expected if b"ignore" not in p]
        assert sorted(os.fsencode(m.path) for m in result.matches) == wanted, flags
        found += len(wanted)
    assert found > 20


def _rg_files(rg: str, root: Path, glob: str, home: str, *flags: str) -> list[bytes]:
    command = [rg, "--no-config", "--files", "-0", *flags, f"--glob={glob}", "--glob=!**/.git/**", "."]
    environment = {"HOME": home, "PATH": os.environ["PATH"]}
    answer = subprocess.run(command, cwd=root, capture_output=True, stdin=subprocess.DEVNULL, env=environment)
    assert not answer.stderr
    return sorted(os.fsencode(root) + b"/" + path[2:] for path in answer.stdout.split(b"\0") if path)
