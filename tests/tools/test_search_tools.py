"""glob and grep: the text of their answers, and paths that cannot be searched, on a host that is a dictionary."""

from __future__ import annotations

import pytest

from pybridge.errors import FileMissingError, PermissionRejectedError, ToolError
from pybridge.host.model import GlobResult, GrepResult, Match
from tests.tools.kit import Call, Desk

pytestmark = pytest.mark.unit


async def test_D17_no_files(desk: Desk) -> None:
    result = await desk("glob", pattern="*.zzz")
    assert (result.output, result.metadata, result.title) == ("No files found", {"count": 0, "truncated": False}, "")


async def test_D17_truncated(desk: Desk) -> None:
    desk.host.globbed = GlobResult(tuple(f"/w/{n}" for n in range(100)), True)
    result = await desk("glob", pattern="*")
    assert result.output.endswith(
        "/w/99\n\n(Results are truncated: showing first 100 results. Consider using a more specific path or pattern.)"
    )
    assert result.metadata == {"count": 100, "truncated": True}


async def test_paths_that_cannot_be_searched(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b""
    with pytest.raises(ToolError, match="^glob path must be a directory: /w/f$"):
        await desk("glob", pattern="*", path="f")
    for tool in ("glob", "grep"):
        with pytest.raises(FileMissingError, match="No such file or directory: /w/nope"):
            await desk(tool, pattern="x", path="nope")
    with pytest.raises(ToolError, match="^pattern is required$"):
        await desk("grep", pattern="")
    assert desk.host.searches == []


async def test_D18_matches_by_file(desk: Desk) -> None:
    long = "ü" * 2001
    desk.host.grepped = GrepResult((Match("/w/a", 1, "one"), Match("/w/a", 3, long), Match("/w/b", 2, "x\udcff")), True)
    answer = (await desk("grep", pattern="x")).to_json()
    assert answer["output"] == (
        "Found 3 matches (more matches available)\n/w/a:\n  Line 1: one\n\n  Line 3: " + "ü" * 2000 + "...\n\n"
        "/w/b:\n  Line 2: x\ufffd\n\n\n(Results truncated. Consider using a more specific path or pattern.)"
    )
    assert (answer["title"], answer["metadata"]) == ("x", {"matches": 3, "truncated": True})


async def test_D18_nothing_found(desk: Desk) -> None:
    result = await desk("grep", pattern="x")
    assert (result.output, result.metadata) == ("No files found", {"matches": 0, "truncated": False})


async def test_a_root_in_the_workspace_is_searched_without_a_look_at_it_first(desk: Desk) -> None:
    desk.host.contents |= {"/w/sub/f": b"", "/elsewhere/g": b""}
    desk.host.links["/w/out"] = "/elsewhere"
    for tool in ("glob", "grep"):
        context = Call()
        await desk(tool, context, pattern="x", path="sub")
        assert (desk.host.fetches, context.asked("external_directory")) == ([], [])
        await desk(tool, context, pattern="x", path="out")
        assert len(desk.host.fetches) == 1
        assert context.asked("external_directory") == [["/elsewhere/*"]]
        desk.host.fetches.clear()
    assert desk.host.searches == [("x", "/w/sub"), ("x", "/w/out")] * 2


async def test_a_link_out_of_the_workspace_is_not_searched_where_that_is_refused(desk: Desk) -> None:
    desk.host.contents["/elsewhere/g"] = b""
    desk.host.links["/w/out"] = "/elsewhere"
    for tool in ("glob", "grep"):
        with pytest.raises(PermissionRejectedError):
            await desk(tool, Call(refuse=frozenset({"external_directory"})), pattern="x", path="out")
    assert desk.host.searches == []
