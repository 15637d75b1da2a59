"""Globs mean here what they mean to ripgrep."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from pybridge.host.glob_pattern import GlobSyntaxError, expand_braces, glob_regex, parse_glob
from pybridge.host.ignore_line import IgnoreLine
from tests.kit.counterparts import need


def _matches(line: str, path: str, *, is_dir: bool = False) -> bool:
    rule = IgnoreLine.parse(line)
    assert rule is not None
    return rule.matches(path.encode(), is_dir=is_dir)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("line", "path", "expected"),
    [
        ("*.py", "a/b/c.py", True),
        ("*.py", "c.pyc", False),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/a/b.py", False),
        ("src/*.py", "x/src/a.py", False),
        ("src/**", "src/a/b.py", True),
        ("src/**", "src", False),
        ("src/**/t.py", "src/t.py", True),
        ("**/t.py", "t.py", True),
        ("/t.py", "a/t.py", False),
        ("*.{ts,tsx}", "a/b.tsx", True),
        ("{a,b/**}/c", "b/x/y/c", True),
        ("?.txt", "x.txt", True),
        ("?.txt", "é.txt", False),  # one byte, as ripgrep has it
        ("??.txt", "é.txt", True),
        ("[!a].txt", "b.txt", True),
        ("[!a].txt", "a.txt", False),
        ("[]x].txt", "].txt", True),
        ("[x-].txt", "-.txt", True),
        ("a[/]b", "a/b", True),
        ("a?b", "a/b", False),
        ("\\*.txt", "*.txt", True),
        ("\\*.txt", "a.txt", False),
        ("{,a}b", "b", False),  # an empty choice is none
        ("x{}.txt", "x.txt", True),
        ("a**b", "axxb", True),
        ("a**b", "a/b", False),
        ("a b ", "a b", True),
        ("a\nb", "a\nb", True),
    ],
)
def test_what_a_line_is_about(line: str, path: str, expected: bool) -> None:
    assert _matches(line, path) is expected


@pytest.mark.unit
def test_a_trailing_slash_means_folders_only() -> None:
    assert _matches("build/", "x/build", is_dir=True)
    assert not _matches("build/", "x/build")


@pytest.mark.unit
def test_negation_and_escapes_of_it() -> None:
    negated = IgnoreLine.parse("!*.py")
    escaped = IgnoreLine.parse("\\!x")
    assert negated is not None and negated.negated and negated.matches(b"a.py", is_dir=False)
    assert escaped is not None and not escaped.negated and escaped.matches(b"!x", is_dir=False)


@pytest.mark.unit
@pytest.mark.parametrize("line", ["", "   ", "# comment"])
def test_lines_that_say_nothing(line: str) -> None:
    assert IgnoreLine.parse(line) is None


@pytest.mark.unit
@pytest.mark.parametrize(
    ("glob", "why"),
    [
        ("{a", "unclosed alternate"),
        ("a}", "unopened"),
        ("[a", "unclosed character"),
        ("[z-a]", "range"),
        ("a\\", "dan"),
    ],
)
def test_what_cannot_be_read_is_said(glob: str, why: str) -> None:
    with pytest.raises(GlobSyntaxError, match=why):
        parse_glob(glob)


@pytest.mark.unit
def test_braces_expand_to_globs_that_together_match_the_same() -> None:
    tokens = parse_glob("{a,b{c,d}}/{e,}*.py")
    expanded = expand_braces(tokens, 64)
    assert expanded is not None and len(expanded) == 3
    for path in (b"a/ex.py", b"bc/e.py", b"bd/ee.py", b"b/e.py", b"a/x.py"):
        assert any(glob_regex(t).fullmatch(path) for t in expanded) == bool(glob_regex(tokens).fullmatch(path))
    assert expand_braces(parse_glob("{a,b}{a,b}{a,b}"), 7) is None


_NAMES = ["a", "b", "c.js", "d.ts", "é.txt", "a b", "-x", "[q]", "{z}", ".h", "x,y", "a.js", "ab", "!n", "#m", "w\\v"]
_PIECES = (
    "a b c * ** ? / /**/ **/ *.js *.{js,ts} {a,b} [a-c] [!a] [^b] . {a,**/b} {**/c.js,a/b} \\[ [[] é [é] ! - # , {x,y} "
    "{,a} *** {a/**,b} a/** [a-é] [!/] [/] ]"
).split()


@pytest.mark.parametrize("seed", range(3))
def test_generated_globs_choose_what_ripgrep_chooses(seed: int, tmp_path: Path) -> None:
    rg = need("rg")
    chance = random.Random(seed)
    for _ in range(100):
        path = tmp_path.joinpath(*(chance.choice(_NAMES) for _ in range(chance.randint(1, 4))))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError:
            continue  # a file where this one needs a folder, or the other way round
    files = sorted(os.fsencode(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    compared = 0
    for _ in range(120):
        glob = "".join(chance.choice(_PIECES) for _ in range(chance.randint(1, 4)))
        command = [rg, "--no-config", "--files", "--no-ignore", "--hidden", "-0", f"--glob={glob}", "."]
        answer = subprocess.run(command, capture_output=True, cwd=tmp_path, stdin=subprocess.DEVNULL)
        try:
            rule = IgnoreLine.parse(glob)
        except GlobSyntaxError:
            assert answer.stderr, f"ripgrep takes {glob!r}"
            continue
        assert not answer.stderr, f"ripgrep does not take {glob!r}: {answer.stderr}"
        chosen = sorted(path[2:] for path in answer.stdout.split(b"\0") if path)
        assert [f for f in files if _shown(rule, f)] == chosen, f"glob {glob!r}"
        compared += 1
    assert compared > 50


def _shown(rule: IgnoreLine | None, file: bytes) -> bool:
    if rule is None:
        return True
    parts = file.split(b"/")
    if rule.negated:
        return not any(rule.matches(b"/".join(parts[:i]), is_dir=i < len(parts)) for i in range(1, len(parts) + 1))
    return rule.matches(file, is_dir=False)
