"""edit: what is asked, what is answered, and changes by others, on a host that is a dictionary."""

from __future__ import annotations

import asyncio

import pytest

from pybridge.errors import (
    CancelledByUserError,
    EditError,
    FileChangedError,
    FileMissingError,
    IsDirectoryError,
    PermissionRejectedError,
)
from tests.tools.kit import Ask, Call, Desk

pytestmark = pytest.mark.unit


async def test_D22_the_diff_is_in_the_question_and_in_the_result(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"hello\nhello\n"
    context = Call()
    result = await desk("edit", context, filePath="f", oldString="hello", newString="bye", replaceAll=True)
    diff = f"Index: /w/f\n{'=' * 67}\n--- /w/f\n+++ /w/f\n@@ -1,2 +1,2 @@\n-hello\n-hello\n+bye\n+bye\n"
    assert result.metadata == {
        "diagnostics": {},
        "diff": diff,
        "filediff": {"file": "/w/f", "patch": diff, "additions": 2, "deletions": 2},
    }
    assert (result.title, result.output) == ("f", "Edit applied successfully.")
    assert context.asks[0].metadata == {"filepath": "/w/f", "diff": diff}


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (("f", "hello", "bye"), EditError, "Found multiple matches for oldString."),
        (("f", "nothing", "bye"), EditError, "Could not find oldString in the file."),
        (("f", "same", "same"), EditError, "No changes to apply: oldString and newString are identical."),
        (("f", "", "x"), EditError, "oldString cannot be empty when editing an existing file."),
        (("d", "", "x"), EditError, "oldString cannot be empty when editing an existing file."),
        (("nope", "a", "b"), FileMissingError, "File /w/nope not found"),
        (("d", "a", "b"), IsDirectoryError, "Path is a directory, not a file: /w/d"),
    ],
)
async def test_D22_errors_are_those_of_the_built_in(
    desk: Desk, args: tuple[str, str, str], error: type[Exception], message: str
) -> None:
    desk.host.contents |= {"/w/f": b"hello\nhello\n", "/w/d/f": b""}
    with pytest.raises(error) as caught:
        await desk("edit", filePath=args[0], oldString=args[1], newString=args[2])
    assert str(caught.value).startswith(message)
    assert desk.host.applies == []


async def test_D22_an_empty_old_string_creates_a_file(desk: Desk) -> None:
    await desk("edit", filePath="n/f", oldString="", newString="a\nb\n")
    assert desk.host.contents["/w/n/f"] == b"a\nb\n"


async def test_D22_bytes_that_are_not_utf8_stay(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"caf\xe9 \xff\nold\n"
    await desk("edit", filePath="f", oldString="old", newString="new")
    assert desk.host.contents["/w/f"] == b"caf\xe9 \xff\nnew\n"


async def test_D27_a_change_meanwhile_is_computed_again_and_asked_again(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"one\ntwo\n"
    waiting = [b"one\ntwo\nthree\n"]

    def meanwhile(ask: Ask) -> None:
        if waiting:
            desk.host.contents["/w/f"] = waiting.pop()

    context = Call(on_ask=meanwhile)
    await desk("edit", context, filePath="f", oldString="one", newString="1")
    assert desk.host.contents["/w/f"] == b"1\ntwo\nthree\n"
    first, second = (ask.metadata["diff"] for ask in context.asks)
    assert "three" not in first and "three" in second


async def test_D27_the_same_change_is_not_asked_for_twice(desk: Desk) -> None:
    body = b"".join(b"line %d\n" % n for n in range(50))
    desk.host.contents["/w/f"] = b"one\n" + body
    context = Call(on_ask=lambda ask: desk.host.contents.update({"/w/f": b"one\n" + body + b"more\n"}))
    await desk("edit", context, filePath="f", oldString="one", newString="1")
    assert desk.host.contents["/w/f"] == b"1\n" + body + b"more\n"
    assert len(context.asks) == 1


async def test_D27_a_change_that_leaves_no_room_for_the_edit_is_an_error(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"one\n"
    context = Call(on_ask=lambda ask: desk.host.contents.update({"/w/f": b"other\n"}))
    with pytest.raises(FileChangedError) as caught:
        await desk("edit", context, filePath="f", oldString="one", newString="1")
    assert "does not fit what it holds now: Could not find oldString" in str(caught.value)
    assert "Read the file again" in str(caught.value)
    assert desk.host.contents["/w/f"] == b"other\n"


async def test_D27_a_file_changed_without_end_is_an_error(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"one\n"

    def change() -> None:
        desk.host.contents["/w/f"] += b"more\n"

    desk.host.before_apply = change
    with pytest.raises(FileChangedError, match="keeps being changed"):
        await desk("edit", filePath="f", oldString="one", newString="1")
    assert len(desk.host.applies) == 2


async def test_a_refused_second_question_writes_nothing(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"one\n"
    context = Call()

    def meanwhile(ask: Ask) -> None:
        if len(context.asks) == 1:
            desk.host.contents["/w/f"] = b"one\ntwo\n"
        else:
            context.refuse = frozenset({"edit"})

    context.on_ask = meanwhile
    with pytest.raises(PermissionRejectedError):
        await desk("edit", context, filePath="f", oldString="one", newString="1")
    assert desk.host.contents["/w/f"] == b"one\ntwo\n"


async def test_D24_edits_of_one_file_wait_for_each_other(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"".join(b"line %d;\n" % n for n in range(8))
    calls = [desk("edit", filePath="f", oldString=f"line {n};", newString=f"LINE {n};") for n in range(8)]
    await asyncio.gather(*calls)
    assert desk.host.contents["/w/f"] == b"".join(b"LINE %d;\n" % n for n in range(8))
    assert len(desk.host.applies) == 8


async def test_D24_an_abort_ends_the_wait_for_another_edit(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"one\ntwo\n"
    waiting = Call()
    async with desk.session.locks.hold("/w/f"):
        second = asyncio.ensure_future(desk("edit", waiting, filePath="f", oldString="two", newString="2"))
        await asyncio.sleep(0)
        waiting.abort.set()
        with pytest.raises(CancelledByUserError):
            await second
    await desk("edit", filePath="f", oldString="one", newString="1")
    assert desk.host.contents["/w/f"] == b"1\ntwo\n"


async def test_a_write_after_an_edit_is_no_change_by_someone_else(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"one\n"
    await desk("read", filePath="f")
    await desk("edit", filePath="f", oldString="one", newString="two")
    await desk("write", filePath="f", content="three\n")
    assert desk.host.contents["/w/f"] == b"three\n"
