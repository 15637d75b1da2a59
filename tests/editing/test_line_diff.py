from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybridge.editing.line_diff import Kind, Run, _common, count_changes, diff_lines, tokenize

pytestmark = pytest.mark.unit

TEXT = st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "\n", "  d\n"]), max_size=20).map("".join) | st.text(
    max_size=30
)


def sides(runs: list[Run]) -> tuple[str, str]:
    old = "".join("".join(run.lines) for run in runs if run.kind is not Kind.ADDED)
    return old, "".join("".join(run.lines) for run in runs if run.kind is not Kind.REMOVED)


@given(TEXT, TEXT, st.sampled_from([0, 1, 10, 10**6]))
def test_the_runs_are_the_two_texts(old: str, new: str, max_steps: int) -> None:
    assert sides(diff_lines(old, new, max_steps=max_steps)) == (old, new)


@given(TEXT, TEXT)
def test_no_run_is_empty_and_neighbours_differ_in_kind(old: str, new: str) -> None:
    runs = diff_lines(old, new)
    assert all(run.lines for run in runs)
    assert all(a.kind is not b.kind for a, b in pairwise(runs))


def test_too_costly_a_comparison_keeps_common_ends() -> None:
    old = "head\n" + "".join(f"{i % 7}\n" for i in range(200)) + "tail\n"
    new = "head\n" + "".join(f"{i % 5}\n" for i in range(200)) + "tail\n"
    runs = diff_lines(old, new, max_steps=50)
    assert [run.kind for run in runs] == [Kind.SAME, Kind.REMOVED, Kind.ADDED, Kind.SAME]
    assert sides(runs) == (old, new)


def test_a_rewritten_file_costs_nothing() -> None:
    old, new = "".join(f"a{i}\n" for i in range(50_000)), "".join(f"b{i}\n" for i in range(50_000))
    assert count_changes(old, new) == (50_000, 50_000)


def test_only_a_newline_ends_a_line() -> None:
    assert tokenize("a\rb\u2028c\x0bd\r\ne") == ["a\rb\u2028c\x0bd\r\n", "e"]


@pytest.mark.parametrize("differing", [None, 0, 1, 15, 16, 17, 31, 32, 47, 48, 63, 64, 65, 150, 198, 199])
@pytest.mark.parametrize("shift", [0, 1, 40])
def test_a_long_run_of_common_lines_ends_where_they_differ(differing: int | None, shift: int) -> None:
    old = [f"{n}\n" for n in range(200)]
    new = [f"new {n}\n" for n in range(shift)] + old
    if differing is not None:
        new[shift + differing] = "other\n"
    assert _common(old, new, 0, shift) == (200 if differing is None else differing)
