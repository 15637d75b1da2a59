"""edit: one text replaced in one remote file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

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
from pybridge.tools.known_files import Approval, on_known, require_one_request
from pybridge.tools.permissions import ask_edit, ask_external, relative, remote_path
from pybridge.tools.remote_files import EDIT_MAX_BYTES, fetch_one, keep, require_content, require_readable
from pybridge.tools.session import Session
from pybridge.tools.shown_path import shown_path

_QUICK_BYTES = 256 * 1024
_QUICK_TEXT = 4 * 1024

RE_READ = "Nothing was written. Read the file again and repeat the edit on what it holds now."


@dataclass(frozen=True)
class _Plan:
    """What an edit makes of one version of the file."""

    expected: FileVersion
    content: bytes
    diff: FileDiff


async def execute(args: EditArguments, context: ToolContext, session: Session) -> ToolResult:
    """Replace oldString by newString; with an empty oldString, create the file.

    One round trip where the file is known as it is, else two: it is looked at first.

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
    edit = _Edit(args, session, context, path, shown_as)
    async with exclusive(session, context, path):
        made = await on_known(session, context, [path], edit.on_known) or await edit.on_fetched()
        keep(session, context.session_id, made.real, made.applied, made.plan.content)
    diff = made.plan.diff
    filediff = {"file": shown_as, "patch": diff.patch, "additions": diff.additions, "deletions": diff.deletions}
    return ToolResult(
        title=relative(session, path),
        output="Edit applied successfully.",
        metadata={"diagnostics": {}, "diff": diff.patch, "filediff": filediff},
    )


@dataclass(frozen=True)
class _Made:
    """An edit that was made, and where the file really lies."""

    plan: _Plan
    real: str
    applied: Applied


@dataclass
class _Edit:
    """One call of the tool.

    Args:
        path: remote absolute path.
        shown_as: the path as the model is told it.
        approval: what was allowed of it so far.
    """

    args: EditArguments
    session: Session
    context: ToolContext
    path: str
    shown_as: str
    approval: Approval = field(default_factory=Approval)

    async def on_known(self, files: list[Fetched]) -> _Made:
        """Make it on the file as last seen; every error means that it is to be looked at."""
        file = replace(files[0], path=self.shown_as)
        plan = await _plan(self.args, self.session, file)
        require_one_request([Change(self.shown_as, plan.expected, plan.content)], [file])
        return await self._apply(plan, file)

    async def on_fetched(self) -> _Made:
        """Make it on what the file holds now."""
        found = await unless_aborted(self.context, fetch_one(self.session, self.path, EDIT_MAX_BYTES))
        file = replace(found, path=self.shown_as)
        await ask_external(self.session, self.context, file.real, directory=False)
        plan = await _plan(self.args, self.session, file)
        try:
            return await self._apply(plan, file)
        except VersionConflict as conflict:
            fresh = replace(conflict.current[0], path=self.shown_as)
        plan = await self._plan_again(fresh)
        try:
            return await self._apply(plan, fresh, external=True)
        except VersionConflict as conflict:
            raise FileChangedError(
                f"{self.path} keeps being changed by someone else while this edit is under way.",
                path=self.path,
                next_step=RE_READ,
            ) from conflict

    async def _plan_again(self, fresh: Fetched) -> _Plan:
        """The edit on the fresh content.

        Raises:
            FileChangedError: it does not fit.
        """
        try:
            return await _plan(self.args, self.session, fresh)
        except (EditError, FileError) as error:
            raise FileChangedError(
                f"{fresh.path} was changed by someone else while this edit was under way, and the edit does not fit "
                f"what it holds now: {error}",
                path=fresh.path,
                next_step=RE_READ,
            ) from error

    async def _apply(self, plan: _Plan, file: Fetched, *, external: bool = False) -> _Made:
        """Make it, once it is allowed.

        Args:
            external: the file may lie elsewhere now than where it has been allowed to be touched.
        """

        async def ask() -> None:
            if external:
                await ask_external(self.session, self.context, file.real, directory=False)
            await ask_edit(self.session, self.context, self.shown_as, file.real, plan.diff.patch)

        async def allowed() -> None:
            await self.approval.need(plan.diff.patch, [file], ask)

        changes = [Change(self.path, plan.expected, plan.content, real=file.real)]
        (applied,) = await change(self.session, self.context, "edit", changes, [file], allowed)
        return _Made(plan, file.real, applied)


async def _plan(args: EditArguments, session: Session, file: Fetched) -> _Plan:
    require_readable(file)
    if args.old_string == "":
        if file.kind is not FileKind.MISSING:
            raise EmptyTextError(
                "oldString cannot be empty when editing an existing file. "
                "Provide the exact text to replace, or use write for an intentional full-file replacement."
            )
        content, version = b"", ABSENT
    elif file.kind is FileKind.MISSING:
        raise FileMissingError(f"File {file.path} not found", path=file.path)
    elif file.kind is FileKind.DIRECTORY:
        raise IsDirectoryError(f"Path is a directory, not a file: {file.path}", path=file.path)
    else:
        content, version = require_content(file)
    asked = args, file.path, content, version, session.settings.encoding
    if _is_quick(args, content):
        return _compute(*asked)
    return await asyncio.to_thread(_compute, *asked)


def _is_quick(args: EditArguments, content: bytes) -> bool:
    """It takes less time than handing it to a thread: a small change, and the text is found as it stands."""
    small = len(content) <= _QUICK_BYTES and len(args.old_string) + len(args.new_string) <= _QUICK_TEXT
    return small and not args.replace_all and args.old_string.encode("utf-8", "surrogatepass") in content


def _compute(args: EditArguments, path: str, content: bytes, version: FileVersion, encoding: str | None) -> _Plan:
    old = Document() if version == ABSENT else decode(content, encoding=encoding)
    if args.old_string == "":
        text = args.new_string
    else:
        text = edit_text(old.text, args.old_string, args.new_string, replace_all=bool(args.replace_all))
    new = old.with_text(text)
    return _Plan(version, encode(new, path=path), edit_diff(path, old.shown, new.shown))
