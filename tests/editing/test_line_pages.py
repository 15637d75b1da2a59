from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybridge.editing.line_pages import MAX_LINE_BYTES, Page, page_of_slice, page_of_text
from pybridge.errors import OffsetRangeError
from tests.editing.recorded import recorded

pytestmark = pytest.mark.unit


def shown(make: Callable[[], Page]) -> dict[str, Any]:
    try:
        page = make()
    except OffsetRangeError as error:
        return {"error": str(error)}
    return {
        "content": page.numbered,
        "last": page.last,
        "total": page.total,
        "truncated": page.truncated,
        "text": page.text,
    }


@pytest.mark.parametrize("case", recorded("page"))
def test_pages_are_those_of_the_built_in(case: dict[str, Any]) -> None:
    text = base64.b64decode(case["bytes"]).decode("utf-8", "replace")
    assert shown(lambda: page_of_text(text, offset=case["offset"], limit=case["limit"])) == case["want"]


def slice_of(content: bytes, offset: int, limit: int) -> tuple[list[bytes], int]:
    """What a remote would cut out: newline-ended lines, each at most MAX_LINE_BYTES long."""
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [line[:MAX_LINE_BYTES] for line in lines[offset - 1 : offset - 1 + limit]], len(lines)


@given(
    st.lists(
        st.sampled_from([b"a", b"\xff", "é😀".encode(), b"x" * 2001, "日".encode() * 2000, b"\n", b"\r\n"]), max_size=60
    ),
    st.integers(0, 9),
    st.none() | st.integers(0, 9),
)
def test_a_slice_gives_the_page_of_the_whole(pieces: list[bytes], offset: int, limit: int | None) -> None:
    content = b"".join(pieces)
    lines, total = slice_of(content, offset or 1, 2000)
    whole = shown(lambda: page_of_text(content.decode("utf-8", "replace"), offset=offset, limit=limit))
    assert shown(lambda: page_of_slice(lines, total, offset=offset, limit=limit)) == whole


def test_output_of_a_small_file() -> None:
    page = page_of_text("a\nb")
    assert page.output("/srv/f") == (
        "<path>/srv/f</path>\n<type>file</type>\n<content>\n1: a\n2: b\n\n(End of file - total 2 lines)\n</content>"
    )
    assert page_of_text("").output("/e").endswith("<content>\n\n\n(End of file - total 0 lines)\n</content>")


def test_the_three_endings() -> None:
    assert page_of_text("a\nb\nc\n").ending == "(End of file - total 3 lines)"
    assert page_of_text("a\nb\nc\n", offset=2, limit=1).ending == (
        "(Showing lines 2-2 of 3. Use offset=3 to continue.)"
    )
    page = page_of_text(("x" * 1023 + "\n") * 100)
    assert page.ending == "(Output capped at 50 KB. Showing lines 1-50. Use offset=51 to continue.)"
    assert (len(page.text.encode()), page.truncated, page.total) == (50 * 1024 - 1, True, 51)


def test_a_page_may_be_exactly_full() -> None:
    page = page_of_text("x" * 1024 + "\n" + ("x" * 1023 + "\n") * 49)
    assert (len(page.text.encode()), page.truncated) == (50 * 1024, False)


def test_a_long_line_is_cut_at_utf16_units() -> None:
    note = "... (line truncated to 2000 chars)"
    assert page_of_text("x" * 2000).text == "x" * 2000
    assert page_of_text("x" * 2001).text == "x" * 2000 + note
    assert page_of_text("😀" * 1001).text == "😀" * 1000 + note
    assert page_of_text("x" + "😀" * 1001).text == "x" + "😀" * 999 + "\ufffd" + note


def test_an_offset_after_the_end_is_an_error() -> None:
    with pytest.raises(OffsetRangeError) as caught:
        page_of_text("a\nb\nc\n", offset=10)
    assert str(caught.value) == "Offset 10 is out of range for this file (3 lines)"
    with pytest.raises(OffsetRangeError):
        page_of_text("", offset=2)


def test_mark_and_carriage_returns_are_not_shown() -> None:
    assert page_of_text("\ufeffa\r\nb\rc").lines == ("a", "b", "c")
    assert page_of_slice([b"\xef\xbb\xbfa\r", b"b\r"], 2).lines == ("a", "b")
    assert page_of_slice([b"\xef\xbb\xbfa"], 2, offset=2).lines == ("\ufeffa",)


def test_the_preview_is_the_first_twenty_lines() -> None:
    assert page_of_text("".join(f"{i}\n" for i in range(30))).preview().split("\n") == [str(i) for i in range(20)]
