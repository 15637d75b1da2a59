"""read: one file of the remote, page by page, or one folder."""

from __future__ import annotations

import codecs
import posixpath
from collections.abc import Sequence

from pybridge.editing.binary import is_binary
from pybridge.editing.encoding import UTF8, decode
from pybridge.editing.line_pages import MAX_LINE_BYTES, Page, page_of_slice, page_of_text
from pybridge.errors import FileMissingError, ToolError
from pybridge.host.model import Fetched, FileKind, Lines, Slice
from pybridge.tools import instructions as instruction_files
from pybridge.tools import media
from pybridge.tools.aborting import unless_aborted
from pybridge.tools.arguments import ReadArguments
from pybridge.tools.collation import sort_key
from pybridge.tools.context import ToolContext, ToolResult
from pybridge.tools.local import reading
from pybridge.tools.permissions import ask_read, relative, remote_path
from pybridge.tools.read_results import file_result, folder_result, line_limit, media_result
from pybridge.tools.remote_files import EDIT_MAX_BYTES, fetch, fetch_one, mirror, require_readable
from pybridge.tools.session import Session
from pybridge.tools.shown_path import shown_path

WHOLE_BYTES = 1024 * 1024
"""A file up to this size is fetched whole, in one round trip; of a larger one the lines are cut out on the remote."""

MAX_ROWS = 51200
"""Lines asked of the remote at most: each is a byte of a page at least."""

SUGGESTIONS = 3


async def execute(args: ReadArguments, context: ToolContext, session: Session) -> ToolResult:
    """Show a file or a folder.

    Raises:
        FileMissingError: there is none; names up to three that are alike.
        ToolError: it is binary, or ends before the line asked for.
        SpecialFileError: it is a FIFO, a socket or a device.
        FileError: it cannot be read.
        PermissionRejectedError: it may not be read.
        CancelledByUserError: the call was aborted.
    """
    return await unless_aborted(context, _read(args, context, session))


async def _read(args: ReadArguments, context: ToolContext, session: Session) -> ToolResult:
    local = session.local_files.find(args.file_path)
    if local is not None:
        return await reading.execute(local, args, context, session)
    path = remote_path(session, args.file_path)
    shown_as = shown_path(args.file_path, path)
    title = relative(session, path)
    folders = instruction_files.folders_of(path, session.workdir)
    unknown = session.instructions.to_look_at(context, folders)
    lines = Lines(args.offset or 1, min(line_limit(args), MAX_ROWS), MAX_LINE_BYTES, EDIT_MAX_BYTES)
    paths = [path, *instruction_files.candidates(unknown)]
    file, *nearby = await fetch(session, paths, WHOLE_BYTES, entries=True, lines=lines)
    await ask_read(session, context, file)
    mirror(session, [file, *nearby])
    require_readable(file)
    if file.kind is FileKind.MISSING:
        raise _missing(file, shown_as)
    if file.kind is FileKind.DIRECTORY:
        entries = file.entries if file.entries is not None else await session.host.files.list(path)
        return folder_result(args, shown_as, title, [(entry.name, entry.directory) for entry in entries])
    piece = file.piece
    if file.content is None and piece is None:
        piece = await session.host.files.slice(file.path, lines)
    head = file.content if file.content is not None else piece.head if piece is not None else b""
    name = posixpath.basename(file.real)
    mime = media.attached_type(name, head)
    if mime is None and is_binary(name, head):
        raise ToolError(f"Cannot read binary file: {shown_as}")
    version = file.version if piece is None else piece.version
    if version is not None:
        session.versions.record(context.session_id, file.real, version, named=file.path)
    if mime is not None:
        content = await _whole(session, file)
        shown = instruction_files.choose(context, path, nearby, session.instructions)
        return media_result(title, mime, content, shown)
    page = _page(args, session, file, piece)
    shown = instruction_files.choose(context, path, nearby, session.instructions)
    return file_result(shown_as, title, page, shown)


def _page(args: ReadArguments, session: Session, file: Fetched, piece: Slice | None) -> Page:
    encoding = session.settings.encoding
    if file.content is not None:
        return page_of_text(decode(file.content, encoding=encoding).shown, offset=args.offset, limit=args.limit)
    assert piece is not None
    codec = UTF8 if encoding is None or _is_utf8(piece.lines) else encoding
    return page_of_slice(piece.lines, piece.total_lines, offset=args.offset, limit=args.limit, codec=codec)


def _is_utf8(lines: Sequence[bytes]) -> bool:
    """Whether lines, some of them cut in the middle of a character, are UTF-8."""
    decoder = codecs.getincrementaldecoder(UTF8)()
    try:
        for line in lines:
            decoder.decode(line)
            decoder.reset()
    except UnicodeDecodeError:
        return False
    return True


def _missing(file: Fetched, shown_as: str) -> FileMissingError:
    folder, name = posixpath.split(file.path)
    wanted = name.lower()
    alike = [s for s in sorted(file.siblings, key=sort_key) if wanted in s.lower() or s.lower() in wanted]
    message = f"File not found: {shown_as}"
    if alike:
        names = "\n".join(posixpath.join(folder, s) for s in alike[:SUGGESTIONS])
        message += f"\n\nDid you mean one of these?\n{names}"
    return FileMissingError(message, path=file.path)


async def _whole(session: Session, file: Fetched) -> bytes:
    content = file.content
    if content is None:
        content = (await fetch_one(session, file.path, EDIT_MAX_BYTES)).content
    if content is None:
        raise ToolError(
            f"{file.path} is larger than {EDIT_MAX_BYTES // 1024 // 1024} MB, too large to be shown.",
            next_step="Make a smaller copy of it with bash and read that.",
        )
    return content
