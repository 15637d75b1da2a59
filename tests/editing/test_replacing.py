from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybridge.editing.replacing import edit_text, replace
from pybridge.errors import (
    AmbiguousTextError,
    EditError,
    EmptyTextError,
    NothingToChangeError,
    SpanTooLargeError,
    TextNotFoundError,
)
from tests.editing.recorded import recorded

pytestmark = pytest.mark.unit


def answer(function: Any, case: dict[str, Any]) -> dict[str, str]:
    try:
        return {"ok": function(case["text"], case["old"], case["new"], replace_all=case["all"])}
    except EditError as error:
        return {"error": str(error)}


@pytest.mark.parametrize("case", recorded("replace"))
def test_replace_answers_as_the_built_in(case: dict[str, Any]) -> None:
    assert answer(replace, case) == case["want"]


@pytest.mark.parametrize("case", recorded("edit_crlf"))
def test_edit_of_a_crlf_file_answers_as_the_built_in(case: dict[str, Any]) -> None:
    assert answer(edit_text, case) == case["want"]


@pytest.mark.parametrize(
    ("text", "old", "new", "error"),
    [
        ("a", "a", "a", NothingToChangeError),
        ("a", "", "b", EmptyTextError),
        ("a", "x", "b", TextNotFoundError),
        ("aba", "a", "b", AmbiguousTextError),
        ("a\n1\n2\n3\n}", "a\\n1\\n2\\n3\\n}", "b", SpanTooLargeError),
    ],
)
def test_what_cannot_be_done_is_an_error_of_its_own(text: str, old: str, new: str, error: type[EditError]) -> None:
    with pytest.raises(error):
        replace(text, old, new)


@pytest.mark.parametrize("new", ["$&", "$$", "$`", "$'", "$1", "\\1", "\\g<0>"])
@pytest.mark.parametrize("replace_all", [False, True])
def test_new_text_is_literal(new: str, replace_all: bool) -> None:
    """Named difference: the built-in reads `$` commands in newString with replaceAll."""
    assert replace("one two", "two", new, replace_all=replace_all) == f"one {new}"


@pytest.mark.parametrize("text", ["abc\n\nd", ""])
def test_a_blank_old_text_never_spreads_over_the_file(text: str) -> None:
    """Named difference: the built-in puts newString between all characters."""
    with pytest.raises(AmbiguousTextError):
        replace(text, "\t\t", "X", replace_all=True)


def test_the_line_end_of_a_crlf_line_is_not_replaced() -> None:
    """Named difference: the built-in makes this line end in LF."""
    assert edit_text("  a  b\r\nc\r\n", "a b", "x") == "x\r\nc\r\n"
    assert edit_text("  a\r\n  b\r\nc\r\n", "a\nb\n", "x\ny") == "x\r\ny\r\nc\r\n"
    assert edit_text("\ta\r\n\ta\r\n", " a", "b", replace_all=True) == "b\r\nb\r\n"


def test_a_carriage_return_that_is_asked_for_goes() -> None:
    assert replace("a\r\nb", "a\r", "x") == "x\nb"
    assert replace("\ta\r\nb", " a", "x\r") == "x\r\nb"


PIECES = st.lists(st.sampled_from(["a", "b", " ", "  ", "\n", "\t", "(", "$", "\\", "\r\n", "\U0001f600"]), max_size=25)


@given(PIECES.map("".join), PIECES.map("".join), st.booleans())
def test_nothing_outside_the_match_changes(text: str, old: str, replace_all: bool) -> None:
    mark = "\x00NEW\x00"
    try:
        result = replace(text, old, mark, replace_all=replace_all)
    except EditError:
        return
    pieces = result.split(mark)
    assert len(pieces) >= 2
    assert replace_all or len(pieces) == 2
    at = 0
    for piece in pieces:
        at = text.find(piece, at)
        assert at != -1
        at += len(piece)
    assert text.startswith(pieces[0]) and text.endswith(pieces[-1])


@given(st.text(max_size=60), st.text(max_size=10), st.text(max_size=10), st.booleans())
def test_only_edit_errors_are_raised(text: str, old: str, new: str, replace_all: bool) -> None:
    try:
        edit_text(text, old, new, replace_all=replace_all)
    except EditError as error:
        assert error.message
