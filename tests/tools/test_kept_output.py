"""Long output kept in a local file: read and grep serve it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pybridge.errors import CancelledByUserError, OffsetRangeError, SearchError
from pybridge.tools import kept_output
from tests.tools.kit import Call, Desk

pytestmark = pytest.mark.unit


@pytest.fixture
def kept(desk: Desk) -> str:
    with desk.session.spool.open() as file:
        file.append("".join(f"line {n} é\r\n" for n in range(1, 5001)).encode() + b"bad \xff\rlone")
        assert file.path is not None
        return str(file.path)


async def test_read_pages_it_without_the_remote(desk: Desk, kept: str) -> None:
    context = Call()
    result = await desk("read", context, filePath=kept, offset=5000)
    assert result.output == (
        f"<path>{kept}</path>\n<type>file</type>\n<content>\n5000: line 5000 é\n5001: bad \ufffd\n5002: lone\n\n"
        "(End of file - total 5002 lines)\n</content>"
    )
    first = await desk("read", context, filePath=kept)
    assert first.output.endswith("(Showing lines 1-2000 of 5002. Use offset=2001 to continue.)\n</content>")
    assert ([ask.permission for ask in context.asks], desk.host.fetches) == (["read", "read"], [])
    with pytest.raises(OffsetRangeError):
        await desk("read", filePath=kept, offset=6000)


async def test_another_file_beside_it_is_a_remote_path(desk: Desk, kept: str) -> None:
    desk.host.contents[str(Path(kept).parent / "other")] = b"remote\n"
    assert "1: remote" in (await desk("read", filePath=str(Path(kept).parent / "other"))).output


async def test_grep_finds_lines_in_it(desk: Desk, kept: str) -> None:
    result = await desk("grep", pattern=r"line 12\d[0-8] ", path=kept)
    assert result.metadata == {"matches": 90, "truncated": False}
    assert result.output.startswith(f"Found 90 matches\n{kept}:\n  Line 1200: line 1200 é\n")
    more = await desk("grep", pattern="line", path=kept)
    assert more.metadata == {"matches": 100, "truncated": True}
    assert desk.host.searches == []
    with pytest.raises(SearchError, match="is not a regular expression"):
        await desk("grep", pattern="(", path=kept)


async def test_law_7_a_search_without_end_is_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk.session.spool.open() as file:
        file.append(b"a" * 60 + b"!\n")
    context = Call()
    asyncio.get_running_loop().call_later(0.5, context.abort.set)
    with pytest.raises(CancelledByUserError):
        await desk("grep", context, pattern="(a+)+$", path=str(file.path))
    monkeypatch.setattr(kept_output, "SEARCH_TIMEOUT", 0.5)
    with pytest.raises(Exception, match=r"took longer than 0\.5 s"):
        await desk("grep", pattern="(a+)+$", path=str(file.path))
