"""What read answers with: a page of a file, the names in a folder, or a file for the model to look at."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

from pybridge.editing.line_pages import MAX_LINES, Page
from pybridge.tools.arguments import ReadArguments
from pybridge.tools.collation import sort_key
from pybridge.tools.context import Attachment, ToolResult
from pybridge.tools.instructions import Instruction, render

PREVIEW_ENTRIES = 20


def line_limit(args: ReadArguments) -> int:
    """How many lines or entries were asked for."""
    return MAX_LINES if args.limit is None else args.limit


def file_result(path: str, title: str, page: Page, shown: Sequence[Instruction]) -> ToolResult:
    """The answer that shows a page."""
    return ToolResult(
        title=title,
        output=page.output(path) + render(shown),
        metadata={
            "preview": page.preview(),
            "truncated": page.truncated,
            "loaded": [i.path for i in shown],
            "display": {
                "type": "file",
                "path": path,
                "text": page.text,
                "lineStart": page.first,
                "lineEnd": page.last,
                "totalLines": page.total,
                "truncated": page.truncated,
            },
        },
    )


def folder_result(args: ReadArguments, path: str, title: str, entries: Iterable[tuple[str, bool]]) -> ToolResult:
    """The answer that shows the entries of a folder.

    Args:
        entries: each name, and whether it is a folder.
    """
    names = sorted((name + "/" if folder else name for name, folder in entries), key=sort_key)
    offset = args.offset or 1
    shown = names[offset - 1 : offset - 1 + line_limit(args)]
    truncated = offset - 1 + len(shown) < len(names)
    if truncated:
        footer = (
            f"(Showing {len(shown)} of {len(names)} entries. "
            f"Use 'offset' parameter to read beyond entry {offset + len(shown)})"
        )
    else:
        footer = f"({len(names)} entries)"
    listing = "\n".join(shown)
    return ToolResult(
        title=title,
        output=f"<path>{path}</path>\n<type>directory</type>\n<entries>\n{listing}\n\n{footer}\n</entries>",
        metadata={
            "preview": "\n".join(shown[:PREVIEW_ENTRIES]),
            "truncated": truncated,
            "loaded": [],
            "display": {
                "type": "directory",
                "path": path,
                "entries": shown,
                "offset": offset,
                "totalEntries": len(names),
                "truncated": truncated,
            },
        },
    )


def media_result(title: str, mime: str, content: bytes, shown: Sequence[Instruction]) -> ToolResult:
    """The answer that hands an image or a PDF to the model."""
    attachment = Attachment(mime, f"data:{mime};base64,{base64.b64encode(content).decode()}")
    done = "PDF read successfully" if mime == "application/pdf" else "Image read successfully"
    metadata = {"preview": done, "truncated": False, "loaded": [i.path for i in shown]}
    return ToolResult(title, done, metadata, (attachment,))
