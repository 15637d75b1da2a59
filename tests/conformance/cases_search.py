"""Scripted cases of glob and grep.

ripgrep answers in whatever order its threads find things, so most cases have one file to be found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.conformance.case import FOLDER, HERE, REL, Case, Content, File, Link, Step, case


def glob(pattern: str, path: str | None = HERE, **more: Any) -> Step:
    return Step("glob", {"pattern": pattern, **({} if path is None else {"path": path}), **more})


def grep(pattern: str, path: str | None = HERE, **more: Any) -> Step:
    return Step("grep", {"pattern": pattern, **({} if path is None else {"path": path}), **more})


def _case(id: str, files: Mapping[str, Content], *steps: Step) -> Case:
    return case(id, *steps, files=files)


_AGES = {f"f{n:02}.py": File(b"", age=(n * 37) % 50 * 100) for n in range(40)}
_TREE = {
    "a.py": b"",
    "b.txt": b"",
    "sub/c.js": b"",
    "sub/deep/d.ts": b"",
    ".hid/e.md": b"",
    ".env": b"",
    ".git/x.py": b"",
}
_IGNORED = {".gitignore": b"*.log\n", "x.log": b"needle\n", "y.txt": b"needle\n", ".z": b"needle\n"}

CASES: tuple[Case, ...] = (
    _case("glob-one", _TREE, glob("*.txt")),
    _case("glob-deep", _TREE, glob("**/*.ts")),
    _case("glob-name-anywhere", _TREE, glob("d.ts")),
    _case("glob-folder", _TREE, glob("sub/*.js")),
    _case("glob-braces", _TREE, glob("**/*.{ts,none}")),
    _case("glob-class", _TREE, glob("[b-z].txt")),
    _case("glob-question", _TREE, glob("?.txt")),
    _case("glob-negated", _TREE, glob("!*")),
    _case("glob-hidden", _TREE, glob("**/*.md")),
    _case("glob-dot-file", _TREE, glob(".env")),
    _case("glob-ignored", _IGNORED, glob("*.log")),
    _case("glob-not-in-git", _TREE, glob(".git/*")),
    _case("glob-none", _TREE, glob("*.zzz")),
    _case("glob-relative-path", _TREE, glob("*.js", f"{REL}/sub")),
    _case("glob-default-path", _TREE, glob("glob-default-path/b.txt", None)),
    _case("glob-empty-folder", {"void": FOLDER}, glob("*", f"{HERE}/void")),
    _case("glob-through-link", {"sub/f": b"", "link": Link("sub")}, glob("*", f"{HERE}/link")),
    _case("glob-link-not-followed", {"sub/f.txt": b"", "link": Link("sub")}, glob("**/f.txt")),
    _case("glob-link-to-file", {"f.txt": b"", "link.txt": Link("f.txt")}, glob("link.txt")),
    _case("glob-file-path", {"f": b""}, glob("*", f"{HERE}/f")),
    _case("glob-missing-path", {}, glob("*", f"{HERE}/none")),
    _case("glob-bad-pattern", _TREE, glob("a{b")),
    _case("glob-absolute-pattern", _TREE, glob(f"{HERE}/*.txt", None)),
    _case("glob-dot-slash", _TREE, glob("./b.txt")),
    _case("glob-empty-pattern", {"f": b""}, glob("")),
    _case("glob-odd-name", {"a b\u00e9'$x.txt": b""}, glob("*.txt")),
    _case("glob-newest-first", _AGES, glob("*.py")),
    _case("glob-hundred", {f"f{n:03}": File(b"", age=(n * 37) % 100 * 9) for n in range(100)}, glob("f*")),
    _case("glob-more-than-hundred", {f"f{n:03}": File(b"", age=(n * 37) % 150 * 9) for n in range(130)}, glob("f*")),
    _case("grep-one", {"f": b"a needle\nhay\nneedles\n"}, grep("needle")),
    _case("grep-once", {"f": b"hay\nneedle\n"}, grep("needle")),
    Case("grep-files", (grep("needle"),), {"a/f": b"needle\n", "b/g": b"hay\nneedle\n", "c": b"hay\n"}, unordered=True),
    _case("grep-none", {"f": b"hay\n"}, grep("needle")),
    _case("grep-include", {"f.py": b"needle\n", "f.txt": b"needle\n"}, grep("needle", include="*.py")),
    _case("grep-include-braces", {"f.ts": b"needle\n", "f.txt": b"needle\n"}, grep("needle", include="*.{ts,tsx}")),
    _case("grep-include-none", {"f.py": b"needle\n"}, grep("needle", include="*.c")),
    _case("grep-relative-path", {"sub/f": b"needle\n"}, grep("needle", f"{REL}/sub")),
    _case("grep-default-path", {"f": b"needle-of-the-default-path\n"}, grep("needle-of-the-default-path", None)),
    _case("grep-through-link", {"sub/f": b"needle\n", "link": Link("sub")}, grep("needle", f"{HERE}/link")),
    _case("grep-ignored", _IGNORED | {".z": b"hay\n"}, grep("needle")),
    _case("grep-hidden", {".z": b"needle\n", ".git/config": b"needle\n"}, grep("needle")),
    _case("grep-binary", {"f": b"needle\0\n"}, grep("needle")),
    _case("grep-binary-later", {"f": b"needle\n" + b"x" * 100_000 + b"\0"}, grep("needle")),
    _case("grep-not-utf-8", {"f": b"needle caf\xe9\n"}, grep("needle")),
    _case("grep-not-utf-8-elsewhere", {"f": b"caf\xe9\nneedle\n"}, grep("needle")),
    _case("grep-utf-16", {"f": "needle\n".encode("utf-16")}, grep("needle")),
    _case("grep-bom", {"f": b"\xef\xbb\xbfneedle\n"}, grep("^needle")),
    _case("grep-crlf", {"f": b"needle\r\nhay\r\n"}, grep("needle")),
    _case("grep-crlf-anchored", {"f": b"needle\r\nhay\r\n"}, grep("needle$")),
    _case("grep-long-line", {"f": b"z" * 2500 + b"\n"}, grep("^z")),
    _case("grep-line-of-2000", {"f": b"z" * 2000 + b"\n"}, grep("^z")),
    _case("grep-line-of-1999", {"f": b"z" * 1999 + b"\n"}, grep("^z")),
    _case("grep-long-astral", {"f": ("z" * 1999 + "\U0001f600" * 9).encode() + b"\n"}, grep("^z")),
    _case("grep-huge-line", {"f": b"needle " + b"z" * 3_000_000 + b"\n"}, grep("needle")),
    _case("grep-no-final-newline", {"f": b"hay\nneedle"}, grep("needle")),
    _case("grep-empty-lines", {"f": b"a\n\nb\n"}, grep("^$")),
    _case("grep-blanks", {"f": b"  needle\t \n"}, grep("needle")),
    _case("grep-hundred", {"f": b"needle\n" * 100}, grep("needle")),
    _case("grep-more-than-hundred", {"f": b"needle\n" * 150}, grep("needle")),
    _case("grep-ninety-nine", {"f": b"needle\n" * 99}, grep("needle")),
    _case("grep-single-file", {"f": b"needle\n", "g": b"needle\n"}, grep("needle", f"{HERE}/f")),
    _case("grep-missing-path", {"f": b"needle\n"}, grep("needle", f"{HERE}/none")),
    _case("grep-bad-pattern", {"f": b"needle\n"}, grep("needle(")),
    _case("grep-classes", {"f": b"foo(bar)\n\tx = 1\n"}, grep(r"^\s+\w+\s=\s\d$")),
    _case("grep-alternatives", {"f": b"one\ntwo\nthree\n"}, grep("^(one|three)$")),
    _case("grep-dash", {"f": b"--needle\n"}, grep("--needle")),
    _case("grep-case", {"f": b"Needle\n"}, grep("needle")),
    _case("grep-flag", {"f": b"Needle\n"}, grep("(?i)needle")),
    _case("grep-unicode", {"f": "n\u00e9edle \u4e16\u754c\n".encode()}, grep("\u4e16")),
    _case("grep-quotes", {"f": b'it\'s "quoted" $HOME\n'}, grep('\'s "quoted" \\$HOME')),
    _case("grep-odd-name", {"a b\u00e9'$x.txt": b"needle\n"}, grep("needle")),
)
