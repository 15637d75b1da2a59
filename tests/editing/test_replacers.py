"""Each replacer on its own: what it finds, and that it finds nothing but pieces of the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybridge.editing import replacers

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("replacer", "text", "old", "found"),
    [
        (replacers.simple, "a b", "a", ["a"]),
        (replacers.line_trimmed, "  a\n\tb \nc", "a\nb", ["  a\n\tb "]),
        (replacers.line_trimmed, "  a\nb", "a\n", ["  a"]),
        (replacers.block_anchor, "{\n one two\n}\n", "{\n one twx\n}", ["{\n one two\n}"]),
        (replacers.block_anchor, "{\n one two\n}\n", "{\n completely else\n}", []),
        (replacers.block_anchor, "{\nabcd\n}\n{\nabxx\n}\n", "{\nabxy\n}", ["{\nabxx\n}"]),
        (replacers.block_anchor, "{\nab1\n}\n{\nab2\n}\n", "{\nab3\n}", ["{\nab1\n}"]),
        (replacers.block_anchor, "{\na\nb\nc\nd\ne\n}", "{\na\nb\nc\nd\n}", ["{\na\nb\nc\nd\ne\n}"]),
        (replacers.block_anchor, "{\na\nb\nc\nd\ne\nf\n}", "{\na\nb\nc\nd\n}", []),
        (replacers.block_anchor, "a\nb\nc", "a\nc", []),
        (replacers.whitespace_normalized, "x  =   1", "x = 1", ["x  =   1"]),
        (replacers.whitespace_normalized, "if x  ==  1: y", "x == 1", ["x  ==  1"]),
        (replacers.whitespace_normalized, "a\nb  c\n", "a \n b c", ["a\nb  c"]),
        (replacers.indentation_flexible, "    a\n      b", "a\n  b", ["    a\n      b"]),
        (replacers.indentation_flexible, "    a\n    b", "a\n  b", []),
        (replacers.escape_normalized, 'say "a"\tnow', '\\"a\\"\\tnow', ['"a"\tnow']),
        (replacers.escape_normalized, "a\\tb\nc", "a\\tb\\nc", ["a\\tb\nc"]),
        (replacers.trimmed_boundary, "xay", " a ", ["a"]),
        (replacers.trimmed_boundary, "xay", "a", []),
        (replacers.context_aware, "{\n1\n2\n}\n", "{\n1\n9\n}", ["{\n1\n2\n}"]),
        (replacers.context_aware, "{\n1\n2\n}\n", "{\n8\n9\n}", []),
        (replacers.multi_occurrence, "aa", "a", ["a"]),
    ],
)
def test_replacer_finds(replacer: replacers.Replacer, text: str, old: str, found: list[str]) -> None:
    assert list(replacer(text, old)) == found


def test_trimming_is_ecmascript() -> None:
    """U+FEFF is white space there, U+0085 and U+001C are not; Python has it the other way round."""
    assert list(replacers.line_trimmed("\ufeffa\nb", "a\nb")) == ["\ufeffa\nb"]
    assert list(replacers.line_trimmed("\x85a\nb", "a\nb")) == []
    assert list(replacers.line_trimmed("\x1ca\nb", "a\nb")) == []


def test_likeness_counts_utf16_units() -> None:
    """Two of three emoji differ, but only in their second halves: 4 of 6 code units are the same."""
    text = "{\n\U0001f600\U0001f600\U0001f600\n}"
    assert list(replacers.block_anchor(text, "{\n\U0001f601\U0001f601\U0001f600\n}")) == [text]


def test_a_minified_line_is_compared_in_bounded_time() -> None:
    line = "a=b;" * 5000
    text = "{\n" + line + "\n}"
    assert list(replacers.block_anchor(text, "{\n" + line.replace("a=b", "a=c", 100) + "\n}")) == [text]


@pytest.mark.parametrize(
    ("span", "old", "larger"),
    [
        ("a\n" * 3, "x", True),
        ("a\n" * 2, "x", False),
        ("a\n" * 5, "x\ny\nz", True),
        ("a\n" * 4, "x\ny\nz", False),
        ("a" * 600, "x", False),
        ("a" * 600 + "\n", "x\ny", True),
        ("a" * 503 + "\n", "x\ny", False),
        ("a" * 900 + "\n", "x\n" + "y" * 198, True),
        ("a" * 800 + "\n", "x\n" + "y" * 198, False),
    ],
)
def test_span_guard(span: str, old: str, larger: bool) -> None:
    assert replacers.is_much_larger(span, old) is larger


WORDS = ["a", "  a", "b ", "{", "}", "", "\t", "a b", "\\n", "\u00a0c"]
LINES = st.lists(st.sampled_from(WORDS), max_size=12).map("\n".join)


@given(LINES, LINES.filter(bool))
def test_every_span_is_in_the_text_or_is_what_was_asked(text: str, old: str) -> None:
    for replacer in replacers.REPLACERS:
        for span in replacer(text, old):
            assert span in text or replacer is replacers.simple
