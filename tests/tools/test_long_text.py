"""Results and errors longer than OpenCode shows: their head stays, the whole is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybridge.editing.truncation import MAX_BYTES, MAX_LINES
from pybridge.errors import CommandFailedError, ToolError
from pybridge.host.model import CommandResult
from pybridge.mirror.spool import Spool
from pybridge.tools.context import ToolResult
from pybridge.tools.long_text import shorten_error, shorten_result
from pybridge.transport.process import Stream
from tests.tools.kit import Desk

pytestmark = pytest.mark.unit

LINES = "\n".join(f"line {n}" for n in range(1, 5001))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_a_long_error_keeps_its_head_and_says_where_all_of_it_is(spool: Spool) -> None:
    error = ToolError(LINES)
    shorten_error(error, spool)
    head, _, note = str(error).partition("\n\n...3000 lines truncated...\n\nAll of it is in ")
    assert head.splitlines() == LINES.splitlines()[:MAX_LINES]
    path = note.partition(":")[0]
    assert spool.contains(path)
    assert Path(path).read_text() == LINES


def test_one_long_line(spool: Spool) -> None:
    error = ToolError("é" * MAX_BYTES)
    shorten_error(error, spool)
    assert len(str(error).encode()) < MAX_BYTES


def test_what_is_not_too_long_is_left_alone(spool: Spool) -> None:
    text = "\n".join("x" for _ in range(MAX_LINES))
    error = ToolError(text)
    shorten_error(error, spool)
    assert str(error) == text
    result = ToolResult("", text)
    assert shorten_result(result, spool) is result
    cut = ToolResult("", LINES, {"truncated": False})  # grep and read cut for themselves
    assert shorten_result(cut, spool) is cut
    assert not spool.folder.exists()


def test_a_long_result(spool: Spool) -> None:
    result = shorten_result(ToolResult("t", LINES, {"diff": "d"}), spool)
    assert result.output.startswith("line 1\nline 2\n")
    path = result.metadata["outputPath"]
    assert (result.title, result.metadata) == ("t", {"diff": "d", "truncated": True, "outputPath": path})
    assert Path(path).read_text() == LINES


def test_without_a_place_to_keep_it(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file in the way")
    error = ToolError(LINES)
    shorten_error(error, Spool(tmp_path / "spool"))
    assert str(error).endswith("\n\n...3000 lines truncated...")


async def test_a_failing_commands_output_is_cut_once(desk: Desk) -> None:
    desk.host.output = [(Stream.STDOUT, LINES.encode() + b"\n")]
    desk.host.result = CommandResult(1, None)
    with pytest.raises(CommandFailedError) as caught:
        await desk("bash", command="x", description="d")
    text = str(caught.value)
    assert text.startswith("...output truncated...\n\nFull output saved to: ")
    assert text.endswith("line 5000\n\nExit code: 1")
    assert "lines truncated" not in text
