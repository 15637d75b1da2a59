"""Globs and ignore files: they come from the remote, or from a model, and every path of a search waits for them."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import strategies as st

from pybridge.errors import RemoteTimeoutError
from pybridge.host.glob_automaton import GlobAutomaton
from pybridge.host.glob_pattern import GlobSyntaxError, expand_braces, glob_regex, parse_glob
from pybridge.host.ignore_line import IgnoreLine
from pybridge.host.search.find_tests import file_tests
from pybridge.host.search.ignore_rules import IgnoreFile, RuleSource, Visibility
from pybridge.host.search.remote import SearchScript
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.spoiling import spoiled, spoiled_text

pytestmark = pytest.mark.unit

_PIECES = st.sampled_from(
    "a b * ** / /**/ **/ ? [ab] [!a] [!/] {a,b} {,a} {a*,{b,/}} {} {a/**,b} {**/a,b}".split(),
)


def test_the_automaton_matches_what_the_regular_expression_does(request: pytest.FixtureRequest) -> None:
    def check(value: tuple[str, list[bytes]]) -> None:
        glob, paths = value
        tokens = parse_glob(glob)
        regex, automaton = glob_regex(tokens), GlobAutomaton(tokens)
        for path in paths:
            assert automaton.fullmatch(path) is (regex.fullmatch(path) is not None), (glob, path)

    path = st.text(st.sampled_from("ab//\n"), max_size=7).map(str.encode)
    globs = st.lists(_PIECES, max_size=5).map("".join)
    fuzz(request, "globs: automaton and expression", st.tuples(globs, st.lists(path, max_size=6)), check, 700)


def test_any_ignore_file_is_read(request: pytest.FixtureRequest) -> None:
    def check(content: bytes) -> None:
        file = IgnoreFile.parse(RuleSource.GITIGNORE, b"/r", content)
        visibility = Visibility(b"/r", files=[file], repositories=frozenset([b"/r"]))
        for path in (b"a/b.o", b"x" * 255, b"a/" * 20 + b"b", b"\xff\n"):
            visibility.shows(path)
        assert file_tests(visibility).text

    valid = spoiled(b"*.o\n!keep.o\n/build/\n**/x/**\n[a-z]*.{js,ts}\n\\#x\n", b"a/**/b/**/c\n{a,{b,{c,d}}}\n**\n")
    fuzz(request, "ignore files", valid, check, 250)


def test_any_glob_is_read_or_refused(request: pytest.FixtureRequest) -> None:
    def check(text: str) -> None:
        try:
            tokens = parse_glob(text)
        except GlobSyntaxError:
            return
        GlobAutomaton(tokens)
        expand_braces(tokens, 64)

    fuzz(request, "globs", spoiled_text("src/**/*.{ts,tsx}", "[!a-z]?{a,{b,c}}", "\\{x"), check, 400)


@pytest.mark.parametrize(
    "line", ["*a" * 40 + "b", "**/a/" * 40 + "b", "a/" + "**/a/" * 40 + "b", "{a,aa}" * 40 + "b", "[!b]*" * 30 + "b"]
)
def test_a_glob_of_many_stars_is_no_trap(line: str) -> None:
    rule = IgnoreLine.parse(line)
    assert rule is not None
    begun = time.process_time()  # a regular expression would go on for years
    assert not rule.matches(b"a" * 255, is_dir=False)
    assert not rule.matches(b"a/" * 1000 + b"a", is_dir=False)
    assert time.process_time() - begun < 60


def test_a_tree_of_1200_levels_is_looked_at() -> None:
    file = IgnoreFile.parse(RuleSource.IGNORE, b"/r", b"*.o\n")
    visibility = Visibility(b"/r", files=[file])
    assert visibility.shows(b"a/" * 1200 + b"b.c")
    assert not visibility.shows(b"a/" * 1200 + b"b.o")
    assert not visibility.shows(b"a/" * 1_000_000 + b"b.c")


def test_braces_in_braces_are_no_trap() -> None:
    begun = time.process_time()
    assert expand_braces(parse_glob("{a," * 38 + "b" + "}" * 38), 64) is not None
    assert time.process_time() - begun < 20
    with pytest.raises(GlobSyntaxError, match="nested"):
        parse_glob("{a," * 2000 + "b" + "}" * 2000)


async def test_working_through_an_answer_has_an_end_too() -> None:
    async def nothing(script: str, **_: object) -> None:
        raise AssertionError

    script = SearchScript(nothing, "/w", None, timeout=0)  # type: ignore[arg-type]
    await asyncio.sleep(0.001)
    with pytest.raises(RemoteTimeoutError):
        script.go_on()
