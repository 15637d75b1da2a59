from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybridge.editing.truncation import Shortened, keep_head, keep_tail, last_characters
from tests.editing.recorded import recorded

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("case", recorded("tail"))
def test_the_tail_is_that_of_the_built_in(case: dict[str, Any]) -> None:
    kept = keep_tail(case["text"], max_lines=case["lines"], max_bytes=case["bytes"])
    assert {"text": kept.text, "cut": kept.cut} == case["want"]


def test_what_fits_stays() -> None:
    text = "x\n" * 1999 + "y"
    assert keep_tail(text) == keep_head(text) == Shortened(text)


@pytest.mark.parametrize(
    ("text", "lines", "size", "kept"),
    [
        ("a\nb\nc", 2, 99, Shortened("a\nb", True, 1, "lines")),
        ("aa\nbb\ncc", 9, 5, Shortened("aa\nbb", True, 3, "bytes")),
        ("aaaa\nb", 9, 3, Shortened("", True, 6, "bytes")),
    ],
)
def test_the_head(text: str, lines: int, size: int, kept: Shortened) -> None:
    assert keep_head(text, max_lines=lines, max_bytes=size) == kept


@given(st.text("ab\né😀", max_size=60), st.integers(0, 8), st.integers(0, 40))
def test_limits_are_kept_and_nothing_is_invented(text: str, lines: int, size: int) -> None:
    tail, head = (keep(text, max_lines=lines, max_bytes=size) for keep in (keep_tail, keep_head))
    assert text.endswith(tail.text) and text.startswith(head.text)
    for kept in (tail, head):
        if kept.cut:
            assert len(kept.text.encode()) <= size
            assert kept.text.count("\n") < max(lines, 1)


@given(st.lists(st.text("aé😀\n", max_size=12), max_size=12))
def test_the_last_characters_can_be_taken_piece_by_piece(pieces: list[str]) -> None:
    kept = ""
    for piece in pieces:
        kept = last_characters(kept + piece, 10)
    whole = "".join(pieces)
    if "😀" not in whole:
        assert kept == last_characters(whole, 10)
    assert kept == whole or (kept.startswith("...\n\n") and len(kept) <= 15)


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    assert last_characters("ab😀c", 2) == "...\n\n\ufffdc"
