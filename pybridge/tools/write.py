"""write: the whole content of one remote file."""

from __future__ import annotations

import asyncio

from pybridge.editing.encoding import Document, decode, encode
from pybridge.editing.unified_diff import patch_diff
from pybridge.errors import FileChangedError, IsDirectoryError, ToolError
from pybridge.host.model import ABSENT, Change, Fetched, FileKind, FileVersion, VersionConflict
from pybridge.tools.aborting import unless_aborted
from pybridge.tools.arguments import WriteArguments
from pybridge.tools.changing import change
from pybridge.tools.context import ToolContext, ToolResult
from pybridge.tools.exclusive import exclusive
from pybridge.tools.known_files import Approval, on_known, require_one_request
from pybridge.tools.permissions import ask_edit, ask_external, relative, remote_path
from pybridge.tools.remote_files import EDIT_MAX_BYTES, fetch_one, keep, require_content, require_readable
from pybridge.tools.session import Session
from pybridge.tools.shown_path import shown_path

SMALL = 8 * 1024
"""Characters whose difference is found sooner than they are handed to a thread."""

RE_READ = "Nothing was written. Read the file again, then decide what to write."


async def execute(args: WriteArguments, context: ToolContext, session: Session) -> ToolResult:
    """Replace a file's content, or create the file and its folders.

    One round trip where the file is known as it is, or as one that is not there, else two: it is looked at first.

    A byte order mark and the encoding of an existing file stay.

    Raises:
        FileChangedError: it changed since this session read it, or while the permission was asked.
        IsDirectoryError, SpecialFileError: it is no file.
        EncodingError: the content has a character that the file's encoding has not.
        FileError: it cannot be written.
        PermissionRejectedError: it may not be written.
    """
    if not args.file_path:
        raise ToolError("filePath is required")
    path = remote_path(session, args.file_path)
    shown_as = shown_path(args.file_path, path)
    approval = Approval()

    async def make(files: list[Fetched], *, in_one_request: bool = True) -> Fetched:
        (file,) = files
        old, version = await _current(session, context, file)
        new = old.with_text(args.content)
        changes = [Change(path, version, encode(new, path=path), real=file.real)]
        if in_one_request:
            require_one_request(changes, files)
        if len(old.shown) + len(new.shown) <= SMALL:
            diff = patch_diff(shown_as, old.shown, new.shown)
        else:
            diff = await asyncio.to_thread(patch_diff, shown_as, old.shown, new.shown)

        async def allowed() -> None:
            await approval.need(diff.patch, files, lambda: ask_edit(session, context, shown_as, file.real, diff.patch))

        (applied,) = await change(session, context, "write", changes, files, allowed)
        keep(session, context.session_id, file.real, applied, changes[0].content)
        return file

    async with exclusive(session, context, path):
        file = await on_known(session, context, [path], make, missing=True)
        if file is None:
            file = await unless_aborted(context, fetch_one(session, path, EDIT_MAX_BYTES))
            await ask_external(session, context, file.real, directory=False)
            try:
                await make([file], in_one_request=False)
            except VersionConflict as conflict:
                now = conflict.current[0]
                raise FileChangedError(
                    f"{path} was changed by someone else while this call was under way"
                    + (f": {now.error}" if now.error is not None else "."),
                    path=path,
                    next_step=RE_READ,
                ) from conflict
    return ToolResult(
        title=relative(session, path),
        output="Wrote file successfully.",
        metadata={"diagnostics": {}, "filepath": shown_as, "exists": file.kind is FileKind.FILE},
    )


async def _current(session: Session, context: ToolContext, file: Fetched) -> tuple[Document, FileVersion]:
    """What stands there now, and its version."""
    require_readable(file)
    if file.kind is FileKind.DIRECTORY:
        raise IsDirectoryError(f"Path is a directory, not a file: {file.path}", path=file.path)
    if file.kind is FileKind.MISSING:
        # Also where this session read it before it was removed: a new file overwrites nobody's work.
        return Document(), ABSENT
    content, version = require_content(file)
    if session.versions.changed_since_read(context.session_id, file.real, version, named=file.path):
        raise FileChangedError(
            f"{file.path} has changed since it was read; read it again.", path=file.path, next_step=RE_READ
        )
    return await asyncio.to_thread(decode, content, encoding=session.settings.encoding), version
