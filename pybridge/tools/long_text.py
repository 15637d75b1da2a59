"""Text of the tools other than bash that is longer than OpenCode shows: its head stays, the whole is kept.

OpenCode cuts what a tool answers, but not the text of an error. The limits are the same here for both.
"""

from __future__ import annotations

from dataclasses import replace

from pybridge.editing.truncation import MAX_BYTES, MAX_LINES, keep_head
from pybridge.errors import RemoteError
from pybridge.mirror.spool import Spool
from pybridge.tools.context import ToolResult

NOTE_LINES = 20
NOTE_BYTES = 4096
"""How much more may stand around an output that was cut: where the whole is, and how the command ended."""


def shorten_result(result: ToolResult, spool: Spool) -> ToolResult:
    """The result, its output cut if it is too long. A tool that says itself whether it has cut is believed."""
    if "truncated" in result.metadata:
        return result
    text, path = _shortened(result.output, spool, MAX_LINES, MAX_BYTES)
    if text == result.output:
        return result
    metadata = {**result.metadata, "truncated": True} | ({"outputPath": path} if path else {})
    return replace(result, output=text, metadata=metadata)


def shorten_error(error: RemoteError, spool: Spool) -> None:
    """Cut the text of an error that is too long, in place."""
    text = str(error)
    error.args = (_shortened(text, spool, MAX_LINES + NOTE_LINES, MAX_BYTES + NOTE_BYTES)[0],)


def _shortened(text: str, spool: Spool, max_lines: int, max_bytes: int) -> tuple[str, str | None]:
    if not keep_head(text, max_lines=max_lines, max_bytes=max_bytes).cut:
        return text, None
    kept = keep_head(text)
    with spool.open() as file:
        file.append(text.encode("utf-8", "replace"))
    path = None if file.path is None else str(file.path)
    where = f"\n\nAll of it is in {path}: search it with grep, or read it with offset and limit." if path else ""
    return f"{kept.text}\n\n...{kept.removed} {kept.unit} truncated...{where}", path
