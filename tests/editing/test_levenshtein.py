from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybridge.editing.levenshtein import distance

pytestmark = pytest.mark.unit


def by_table(first: str, second: str) -> int:
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        above, row = row, [i]
        for j, b in enumerate(second, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1]


@given(st.text("abc", max_size=12), st.text("abcd", max_size=12))
def test_distance_is_that_of_the_textbook(first: str, second: str) -> None:
    assert distance(first, second) == by_table(first, second)


def test_distance_counts_utf16_units() -> None:
    assert distance("\U0001f600", "\U0001f601") == 1
    assert distance("\U0001f600", "") == 2
