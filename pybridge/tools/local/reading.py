"""read, for a file or folder of this machine that OpenCode has named to the model; see `pybridge.tools.local.files`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pybridge.editing.binary import is_binary
from pybridge.errors import ToolError
from pybridge.tools import kept_output, media
from pybridge.tools.arguments import ReadArguments
from pybridge.tools.context import ToolContext, ToolResult
from pybridge.tools.permissions import relative
from pybridge.tools.read_results import file_result, folder_result, line_limit, media_result
from pybridge.tools.remote_files import EDIT_MAX_BYTES
from pybridge.tools.session import Session

_HEAD = 4096


async def execute(file: Path, args: ReadArguments, context: ToolContext, session: Session) -> ToolResult:
    """Show it, asking as for any other file.

    Args:
        file: what `args.file_path` leads to on this machine.

    Raises:
        ToolError: it is binary, too large to be shown, gone, or ends before the line asked for.
        PermissionRejectedError: it may not be read.
    """
    title = relative(session, args.file_path)
    await context.ask("read", [title], ["*"], {})
    try:
        return await asyncio.to_thread(_read, file, args, title)
    except OSError as error:
        raise ToolError(f"{args.file_path} cannot be read: {error.strerror}.") from error


def _read(file: Path, args: ReadArguments, title: str) -> ToolResult:
    path = args.file_path
    if file.is_dir():
        return folder_result(args, path, title, [(entry.name, entry.is_dir()) for entry in file.iterdir()])
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
    mime = media.attached_type(file.name, head)
    if mime is not None:
        if file.stat().st_size > EDIT_MAX_BYTES:
            raise ToolError(f"{path} is larger than {EDIT_MAX_BYTES // 1024 // 1024} MB, too large to be shown.")
        return media_result(title, mime, file.read_bytes(), [])
    if is_binary(file.name, head):
        raise ToolError(f"Cannot read binary file: {path}")
    return file_result(path, title, kept_output.read_page(file, args.offset or 1, line_limit(args)), [])
