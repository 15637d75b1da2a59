from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybridge.editing.file_patch import PatchKind
from pybridge.editing.opencode_patch import parse_opencode_patch
from pybridge.errors import PatchError, ToolError
from tests.editing.recorded import recorded

pytestmark = pytest.mark.unit


def plain(error: PatchError) -> dict[str, str]:
    """The error as the built-in's functions throw it; the tool puts the words before it."""
    text = str(error)
    assert text.startswith("apply_patch verification failed: Error: ")
    return {"error": text.removeprefix("apply_patch verification failed: Error: ")}


def answer(case: dict[str, Any]) -> dict[str, Any]:
    try:
        patches = parse_opencode_patch(case["patch"])
    except PatchError as error:
        return plain(error)
    answers: list[dict[str, Any]] = []
    for patch in patches:
        own: dict[str, Any] = {"type": patch.kind.value, "path": patch.path}
        if patch.kind is PatchKind.ADD:
            own["text"] = patch.apply("")
        elif patch.kind is PatchKind.UPDATE:
            if patch.move_to:
                own["move"] = patch.move_to
            try:
                own["result"] = {"ok": patch.apply(case["text"], path=f"/w/{patch.path}")}
            except PatchError as error:
                own["result"] = plain(error)
        answers.append(own)
    return {"ok": answers}


@pytest.mark.parametrize("case", recorded("patch"))
def test_a_patch_answers_as_in_the_built_in(case: dict[str, Any]) -> None:
    assert answer(case) == case["want"]


def wrapped(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"])


def update(text: str, *lines: str) -> str:
    (patch,) = parse_opencode_patch(wrapped("*** Update File: f", *lines))
    return patch.apply(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("*** Begin Patch\n*** End Patch", "patch rejected: empty patch"),
        ("\r\n*** Begin Patch\r\n*** End Patch\r\n", "patch rejected: empty patch"),
        ("*** Begin Patch\nx\n*** End Patch", "apply_patch verification failed: no hunks found"),
        ("x", "apply_patch verification failed: Error: Invalid patch format: missing Begin/End markers"),
        (
            "*** End Patch\n*** Begin Patch",
            "apply_patch verification failed: Error: Invalid patch format: missing Begin/End markers",
        ),
    ],
)
def test_what_is_no_patch_is_refused_in_the_built_ins_words(text: str, message: str) -> None:
    with pytest.raises(PatchError) as caught:
        parse_opencode_patch(text)
    assert str(caught.value) == message


def test_the_first_chunk_needs_no_marker() -> None:
    """Named difference: the built-in skips these lines and reports a success."""
    assert update("a\nb\n", " a", "-b", "+c") == "a\nc\n"


def test_an_update_without_change_is_refused() -> None:
    """Named difference: the built-in reports a success."""
    with pytest.raises(PatchError, match="the update of f contains no change"):
        update("a\n", "text")
    (moved,) = parse_opencode_patch(wrapped("*** Update File: f", "*** Move to: g"))
    assert (moved.move_to, moved.apply("a\r\n")) == ("g", "a\r\n")


def test_end_of_file_means_the_last_place() -> None:
    """Named difference: the built-in changes the first place, and drops the chunks after the marker."""
    text = "x\nmid\nx\n"
    assert update(text, "@@", "-x", "+y") == "y\nmid\nx\n"
    assert update(text, "@@", "-x", "+y", "*** End of File") == "x\nmid\ny\n"
    with pytest.raises(PatchError):
        update(text, "@@", "-x", "+1", "*** End of File", "@@", "-absent", "+2")


def test_crlf_lines_stay_crlf() -> None:
    """Named difference: the built-in makes them LF."""
    assert update("a\r\nb\r\nc\r\n", "@@", " a", "-b", "+B", "+B2") == "a\r\nB\r\nB2\r\nc\r\n"
    assert update("a\r\nb\nc\r\n", "@@", " a", " b", "-c", "+C") == "a\r\nb\nC\r\n"
    assert update("a\r\nb", "@@", "-b", "+c") == "a\r\nc\r\n"
    assert update("a\r\nb\nc\n", "@@", " a", "+x", " b") == "a\r\nx\r\nb\nc\n"
    crlf_patch = wrapped("*** Update File: f", "@@", "-b", "+c").replace("\n", "\r\n")
    (patch,) = parse_opencode_patch(crlf_patch)
    assert patch.apply("a\nb\n") == "a\nc\n"


def test_a_blank_last_line_stays() -> None:
    """Named difference: the built-in removes it."""
    assert update("a\nb\n\n", "@@", "-a", "+x") == "x\nb\n\n"
    assert update("a\n\n", "@@", "+x") == "a\nx\n\n"


def test_an_addition_at_the_end_survives_a_later_chunk_around_it() -> None:
    """Named difference: the built-in loses the added line."""
    assert update("a\nb\n\n", "@@", "+new", "@@", "-b", "-", "+c") == "a\nc\nnew\n"


def test_a_new_file_ends_in_a_newline() -> None:
    (patch,) = parse_opencode_patch(wrapped("*** Add File: f", "+a", "+b"))
    assert (patch.kind, patch.apply("whatever")) == (PatchKind.ADD, "a\nb\n")
    (empty,) = parse_opencode_patch(wrapped("*** Add File: f"))
    assert empty.apply("") == ""


LINES = st.lists(
    st.sampled_from(["*** Begin Patch", "*** End Patch", "*** Update File: f", "*** Add File: g", "*** Delete File: h"])
    | st.sampled_from(["*** Move to: m", "*** End of File", "@@", "@@ a", " a", "-a", "+b", "", " ", "<<EOF", "EOF"])
    | st.text(max_size=5),
    max_size=15,
)


@given(LINES.map("\n".join) | LINES.map(lambda lines: wrapped(*lines)), st.text("ab \r\n", max_size=20))
def test_arbitrary_text_raises_nothing_but_tool_errors(patch_text: str, text: str) -> None:
    try:
        for patch in parse_opencode_patch(patch_text):
            patch.apply(text)
    except ToolError as error:
        assert error.message


FILE = st.lists(st.text("abc ", max_size=3), min_size=1, max_size=12).map(
    lambda lines: "".join(f"{x}\n" for x in lines)
)


@given(FILE, FILE, st.sampled_from(["\n", "\r\n"]))
def test_replacing_all_lines_gives_the_new_text(old: str, new: str, newline: str) -> None:
    body = [f"-{line}" for line in old.split("\n")[:-1]] + [f"+{line}" for line in new.split("\n")[:-1]]
    # A blank last line may be matched without itself, so both sides end in a line that is not blank.
    body = [*body, " end"]
    result = update((old + "end\n").replace("\n", newline), "@@", *body)
    assert result == (new + "end\n").replace("\n", newline)
