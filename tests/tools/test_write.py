"""write: law 3, encodings, errors, on a host that is a dictionary."""

from __future__ import annotations

import pytest

from pybridge.errors import (
    EncodingError,
    FileChangedError,
    FileError,
    IsDirectoryError,
    PermissionRejectedError,
    SpecialFileError,
    ToolError,
)
from tests.tools.kit import Call, Desk

pytestmark = pytest.mark.unit


async def test_law_3_a_file_never_read_is_measured_by_the_version_in_the_diff(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"one\n"
    context = Call(on_ask=lambda ask: desk.host.contents.update({"/w/f": b"theirs\n"}))
    with pytest.raises(FileChangedError, match="changed by someone else while this call was under way"):
        await desk("write", context, filePath="f", content="mine\n")
    assert desk.host.contents["/w/f"] == b"theirs\n"
    assert context.asks[0].metadata["diff"].endswith("-one\n+mine\n")


async def test_law_3_another_sessions_change_counts_as_someone_elses(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"one\n"
    await desk("read", Call("ses_1"), filePath="f")
    await desk("write", Call("ses_2"), filePath="f", content="two\n")
    with pytest.raises(FileChangedError, match="changed since it was read; read it again"):
        await desk("write", Call("ses_1"), filePath="f", content="three\n")
    assert desk.host.contents["/w/f"] == b"two\n"


async def test_law_3_what_another_path_of_the_file_was_read_by_counts(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"one\n"
    desk.host.links["/w/link"] = "/w/f"
    await desk("read", filePath="link")
    desk.host.contents["/w/f"] = b"theirs\n"
    with pytest.raises(FileChangedError, match="changed since it was read"):
        await desk("write", filePath="f", content="mine\n")


async def test_a_file_removed_since_it_was_read_can_be_written(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"one\n"
    await desk("read", filePath="f")
    del desk.host.contents["/w/f"]
    assert (await desk("write", filePath="f", content="new\n")).metadata["exists"] is False


async def test_a_file_that_appears_meanwhile_is_not_overwritten(desk: Desk) -> None:
    context = Call(on_ask=lambda ask: desk.host.contents.update({"/w/f": b"theirs\n"}))
    with pytest.raises(FileChangedError):
        await desk("write", context, filePath="f", content="mine\n")
    assert desk.host.contents["/w/f"] == b"theirs\n"


async def test_a_rejected_permission_writes_nothing(desk: Desk) -> None:
    with pytest.raises(PermissionRejectedError):
        await desk("write", Call(refuse=frozenset({"edit"})), filePath="f", content="x")
    assert desk.host.applies == []


async def test_the_encoding_stays_and_what_it_has_not_is_an_error(desk: Desk) -> None:
    desk.session.settings = type(desk.session.settings)(ssh="x", encoding="latin-1")
    desk.host.contents["/w/f"] = b"caf\xe9\n"
    await desk("write", filePath="f", content="thé\n")
    assert desk.host.contents["/w/f"] == b"th\xe9\n"
    with pytest.raises(EncodingError, match="U\\+20AC"):
        await desk("write", filePath="f", content="5 €\n")
    assert desk.host.contents["/w/f"] == b"th\xe9\n"


async def test_a_byte_order_mark_stays_or_comes_with_the_content(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"\xef\xbb\xbfold"
    await desk("write", filePath="f", content="new")
    await desk("write", filePath="g", content="\ufeffnew")
    assert desk.host.contents["/w/f"] == desk.host.contents["/w/g"] == b"\xef\xbb\xbfnew"


async def test_what_is_no_file_is_refused(desk: Desk) -> None:
    desk.host.contents |= {"/w/d/f": b"", "/w/huge": bytes(17 * 1024 * 1024)}
    desk.host.special.add("/w/fifo")
    with pytest.raises(IsDirectoryError, match="Path is a directory, not a file: /w/d"):
        await desk("write", filePath="d", content="x")
    with pytest.raises(SpecialFileError):
        await desk("write", filePath="fifo", content="x")
    with pytest.raises(FileError, match="over 16 MB"):
        await desk("write", filePath="huge", content="x")
    with pytest.raises(ToolError, match="filePath is required"):
        await desk("write", filePath="", content="x")
    assert desk.host.applies == []
