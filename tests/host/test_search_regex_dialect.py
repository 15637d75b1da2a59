"""Patterns in ripgrep's dialect match the same lines with every grep."""

from __future__ import annotations

import subprocess

import pytest

from pybridge.errors import SearchError
from pybridge.host.search.regex_dialect import Dialect, translate
from tests.kit.counterparts import need

LINES = [
    "hello world",
    "Hello World",
    "foo(bar)",
    "foo[0] = {x}",
    "a.b",
    "axb",
    "x1 y22 z333",
    "tab\there",
    "under_score",
    "a-b",
    "a^b",
    "a\\b",
    "a]b",
    "aaa",
    "",
    "   ",
    "$HOME/*.py",
    "function  name(",
    "abcabc",
    "café",
    "a|b",
    "color colour",
    "{}",
]

PATTERNS = [
    "hello",
    "(?i)hello",
    "(?i:hello)",
    r"\d+",
    r"\D",
    r"^\w+$",
    r"^\W+$",
    r"\s",
    r"^\S+$",
    r"\bb\b",
    r"foo\(",
    r"foo\[\d\]",
    r"[\w.]+\.b",
    r"[^\w\s]",
    r"[]x]",
    r"[a\]]b",
    r"a[-^]b",
    r"a[\^]b",
    r"a[\\]b",
    r"a\\b",
    r"[a-c]{3,}",
    r"(?:abc){2}",
    r"(?P<n>abc)+$",
    r"(?<n>abc)+$",
    r"colou?r",
    r"a*?b",
    r"x.+?y",
    r"a{2,3}?",
    r"a{2}",
    r"^$",
    r"^\s*$",
    r"\t",
    r"[\t]",
    r"function\s+\w+\(",
    r"\$HOME",
    r"\*\.py",
    r"a\|b",
    r"foo|color",
    r"(|x)y22",
    r"\x41|\x{62}",
    r"\u0062ar",
    r"caf.$",
    r"caf[éè]",
    r"\{\}",
    r"\{x\}",
    "}",
    r"\Aa",
    r"b\z",
    r"\p{Lu}",
    r"\pN\pN",
    r"[[:upper:]]",
    r"[[:alpha:]_]+_",
    r"[^[:space:]]\(",
    r"a\.b",
    r"\<b",
    r"(foo)(bar)?",
    r"a-b",
    r"/",
    r"[/.]",
    r"(?s)a.b",
    r"[.]",
    r"[$]",
    r"[a-]b",
    r"\Bo\b",
]


def _matching(command: list[str]) -> list[str]:
    text = "\n".join(LINES) + "\n"
    answer = subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8")
    assert answer.returncode <= 1, (command, answer.stderr)
    return answer.stdout.splitlines()


NEWER = {r"\<b": r"(?:^|\W)b", r"(?<n>abc)+$": "(?:abc)+$"}
"""Patterns that ripgrep 13 does not know yet, in words that it does."""


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("grep", ["grep -E", "busybox grep -E", "grep -P"])
def test_the_same_lines_as_ripgrep(pattern: str, grep: str) -> None:
    program, *words = grep.split()
    dialect = Dialect.PCRE if words[-1] == "-P" else Dialect.EXTENDED
    # grep -E runs in the C locale, where \w is ASCII, as ripgrep's is without Unicode.
    bytewise = ["--no-unicode"] if dialect is Dialect.EXTENDED and pattern.isascii() and r"\p" not in pattern else []
    expected = _matching(
        [need("rg"), "--no-config", "--color=never", *bytewise, "-e", NEWER.get(pattern, pattern), "-"]
    )
    translated = translate(pattern, dialect)
    ignore = ["-i"] if translated.ignore_case else []
    locale = ["env", "LC_ALL=C.UTF-8" if dialect is Dialect.PCRE else "LC_ALL=C"]
    assert _matching([*locale, need(program), *words, *ignore, "-a", "-e", translated.text]) == expected


@pytest.mark.unit
@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(?=a)", "look-around"),
        ("(?<!a)b", "look-around"),
        (r"(a)\1", "backreferences"),
        ("(a", "unclosed group"),
        ("a)", "unopened group"),
        ("[a", "unclosed character class"),
        ("*a", "repetition operator missing"),
        ("a{", "repetition quantifier"),
        ("a{3,2}", "invalid repetition count"),
        ("a\nb", "not allowed"),
        (r"a\nb", "not allowed"),
        ("a\\", "incomplete escape"),
        (r"\q", "unrecognized escape"),
        ("[z-a]", "range"),
        ("(?#c)", "unrecognized"),
        ("(?x) a", "verbose"),
        ("a(?i)b", "one part"),
        ("[a&&b]", "set operation"),
    ],
)
def test_what_cannot_be_searched_for_is_said(pattern: str, why: str, dialect: Dialect) -> None:
    with pytest.raises(SearchError, match=why):
        translate(pattern, dialect)


@pytest.mark.unit
def test_what_only_grep_without_perl_lacks() -> None:
    assert translate(r"[\D]", Dialect.PCRE).text.endswith(r"[\D]")
    with pytest.raises(SearchError, match="inside a character class"):
        translate(r"[\Da]", Dialect.EXTENDED)
    with pytest.raises(SearchError, match="beyond ASCII"):
        translate("[à-ü]", Dialect.EXTENDED)
