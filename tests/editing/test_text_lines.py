"""The line end that a new line takes from its neighbours."""

from __future__ import annotations

import pytest

from pybridge.editing.text_lines import CRLF, LF, end_for_insertion, split_lines


@pytest.mark.parametrize(
    ("text", "index", "end"),
    [
        ("", 0, LF),
        ("a", 0, LF),
        ("a", 1, LF),
        ("a\r\nb\n", 0, CRLF),
        ("a\r\nb\n", 1, CRLF),
        ("a\r\nb\n", 2, LF),
        ("a\nb\r\n", 1, LF),
        ("a\r\nb", 2, CRLF),
        ("a\r\nb\nc", 3, LF),
    ],
)
def test_end_for_insertion(text: str, index: int, end: str) -> None:
    assert end_for_insertion(split_lines(text), index) == end
