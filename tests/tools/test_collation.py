"""The order of names, as Node 20 with full ICU sorts them by localeCompare (recorded)."""

from __future__ import annotations

import random

import pytest

from pybridge.tools.collation import sort_key

pytestmark = pytest.mark.unit

ASCII = "\t _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ"
NAMES = [
    *("_", "-", ".a", "1", "10", "2", "a", "A", "á", "ä", "Ä", "a b", "a_b", "a-b", "a.b", "ab", "aB", "Ab", "AB"),
    *("ae", "æ", "b", "d", "đ", "e", "E", "é", "l", "ł", "n", "ñ", "o", "ø", "oe", "œ", "ss", "ß", "z", "Z"),
    *("α", "я", "あ", "中"),
]
FOLDER = ["_u", ".hid", "Ä", "a.txt", "B.txt", "big.txt", "crlf", "d/", "e/", "empty", "l1.txt", "x.png", "x.svg"]


@pytest.mark.parametrize("names", [list(ASCII), NAMES, FOLDER])
def test_names_sort_as_in_javascript(names: list[str]) -> None:
    mixed = random.Random(1).sample(names, len(names))
    assert sorted(mixed, key=sort_key) == names


def test_names_that_are_not_utf8_sort_somewhere() -> None:
    assert len(sorted(["\udcff", "a", ""], key=sort_key)) == 3
