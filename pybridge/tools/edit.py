"""edit: one text replaced in one remote file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from pybridge.editing.encoding import Document, decode, encode
from pybridge.editing.replacing import edit_text
from pybridge.editing.unified_diff import FileDiff, edit_diff
from pybridge.errors import (
    EditError,
    EmptyTextError,
    FileChangedError,
    FileError,
    FileMissingError,
    IsDirectoryError,
    NothingToChangeError,
    ToolError,
)
from pybridge.host.model import ABSENT, Applied, Change, Fetched, FileKind, FileVersion, VersionConflict
from pybridge.tools.aborting import unless_aborted
from pybridge.tools.arguments import EditArguments
from pybridge.tools.changing import change
from pybridge.tools.context import ToolContext, ToolResult
from pybridge.tools.exclusive import exclusive
from pybridge.tools.permissions import ask_edit, ask_external, relative, remote_path
from pybridge.tools.remote_files import EDIT_MAX_BYTES, fetch_one, keep, require_content, require_readable
from pybridge.tools.session import Session
from pybridge.tools.shown_path import shown_path

RE_READ = "Nothing was written. Read the file again and repeat the edit on what it holds now."


@dataclass(frozen=True)
class _Plan:
    """What an edit makes of one version of the file."""

    expected: FileVersion
    content: bytes
    diff: FileDiff


async def execute(args: EditArguments, context: ToolContext, session: Session) -> ToolResult:
    """Replace oldString by newString; with an empty oldString, create the file.

    Where the file changes meanwhile, the edit is computed once more on what it holds then, and asked for again if that
    is another change than the one approved, or one of another file.

    Raises:
        EditError: oldString is not there, or not clear.
        FileMissingError, IsDirectoryError, SpecialFileError: there is no such file.
        FileChangedError: it changed meanwhile, and the edit does not fit what it holds now.
        EncodingError: newString has a character that the file's encoding has not.
        FileError: it cannot be written.
        PermissionRejectedError: it may not be changed.
    """
    if not args.file_path:
        raise ToolError("filePath is required")
    if args.old_string == args.new_string:
        raise NothingToChangeError("No changes to apply: oldString and newString are identical.")
    path = remote_path(session, args.file_path)
    shown_as = shown_path(args.file_path, path)
    async with exclusive(session, context, path):
        found = await unless_aborted(context, fetch_one(session, path, EDIT_MAX_BYTES))
        file = replace(found, path=shown_as)
        await ask_external(session, context, file.real, directory=False)
        plan = await _plan(args, session, file)
        await ask_edit(session, context, shown_as, file.real, plan.diff.patch)
        try:
            applied = await _apply(session, context, path, plan, file)
        except VersionConflict as conflict:
            fresh = replace(conflict.current[0], path=shown_as)
            plan = await _plan_again(args, session, context, fresh, plan, approved_for=file.real)
            applied = await _apply_last(session, context, path, plan, fresh)
            file = fresh
        await keep(session, context.session_id, file.real, applied, plan.content)
    diff = plan.diff
    filediff = {"file": shown_as, "patch": diff.patch, "additions": diff.additions, "deletions": diff.deletions}
    return ToolResult(
        title=relative(session, path),
        output="Edit applied successfully.",
        metadata={"diagnostics": {}, "diff": diff.patch, "filediff": filediff},
    )


async def _plan(args: EditArguments, session: Session, file: Fetched) -> _Plan:
    require_readable(file)
    if args.old_string == "":
        if file.kind is not FileKind.MISSING:
            raise EmptyTextError(
                "oldString cannot be empty when editing an existing file. "
                "Provide the exact text to replace, or use write for an intentional full-file replacement."
            )
        old, version = Document(), ABSENT
    elif file.kind is FileKind.MISSING:
        raise FileMissingError(f"File {file.path} not found", path=file.path)
    elif file.kind is FileKind.DIRECTORY:
        raise IsDirectoryError(f"Path is a directory, not a file: {file.path}", path=file.path)
    else:
        content, version = require_content(file)
        old = await asyncio.to_thread(decode, content, encoding=session.settings.encoding)
    return await asyncio.to_thread(_compute, args, file.path, old, version)


def _compute(args: EditArguments, path: str, old: Document, version: FileVersion) -> _Plan:
    if args.old_string == "":
        text = args.new_string
    else:
        text = edit_text(old.text, args.old_string, args.new_string, replace_all=bool(args.replace_all))
    new = old.with_text(text)
    return _Plan(version, encode(new, path=path), edit_diff(path, old.shown, new.shown))


async def _plan_again(
    args: EditArguments, session: Session, context: ToolContext, fresh: Fetched, approved: _Plan, *, approved_for: str
) -> _Plan:
    """The edit on the fresh content, approved.

    Args:
        approved_for: where the path led when `approved` was asked for; that it leads elsewhere makes it another change.

    Raises:
        FileChangedError: it does not fit.
        PermissionRejectedError: the change is another one now, and was refused.
    """
    try:
        plan = await _plan(args, session, fresh)
    except (EditError, FileError) as error:
        raise FileChangedError(
            f"{fresh.path} was changed by someone else while this edit was under way, and the edit does not fit what "
            f"it holds now: {error}",
            path=fresh.path,
            next_step=RE_READ,
        ) from error
    if plan.diff.patch != approved.diff.patch or fresh.real != approved_for:
        await ask_external(session, context, fresh.real, directory=False)
        await ask_edit(session, context, fresh.path, fresh.real, plan.diff.patch)
    return plan


async def _apply(session: Session, context: ToolContext, path: str, plan: _Plan, file: Fetched) -> Applied:
    return (await change(session, context, "edit", [Change(path, plan.expected, plan.content)], [file]))[0]


async def _apply_last(session: Session, context: ToolContext, path: str, plan: _Plan, file: Fetched) -> Applied:
    try:
        return await _apply(session, context, path, plan, file)
    except VersionConflict as conflict:
        raise FileChangedError(
            f"{path} keeps being changed by someone else while this edit is under way.", path=path, next_step=RE_READ
        ) from conflict
