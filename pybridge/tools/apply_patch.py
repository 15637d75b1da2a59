"""apply_patch: a patch for several remote files, made as a whole or not at all."""

from __future__ import annotations

import asyncio

from pybridge.editing.patches import parse_patch
from pybridge.errors import FileChangedError, FileError, PatchError
from pybridge.host.model import Applied, Fetched, VersionConflict
from pybridge.tools.aborting import unless_aborted
from pybridge.tools.arguments import ApplyPatchArguments
from pybridge.tools.changing import change
from pybridge.tools.context import ToolContext, ToolResult
from pybridge.tools.exclusive import exclusive
from pybridge.tools.patch_plan import PatchPlan, PatchPlanning, Section
from pybridge.tools.permissions import ask_external, relative, remote_path, rule_patterns, unique
from pybridge.tools.remote_files import EDIT_MAX_BYTES, fetch, keep
from pybridge.tools.session import Session

RE_READ = "Nothing was written. Read the files again and make a patch for what they hold now."


async def execute(args: ApplyPatchArguments, context: ToolContext, session: Session) -> ToolResult:
    """Make all changes of a patch, in OpenCode's format or as a unified diff.

    All files are fetched in one round trip and everything is verified before the one permission is asked; then all
    changes go in one round trip. Where a file changes meanwhile, the patch is computed once more on what it holds then.

    `*** Add File` and `*** Move to` onto a file that exists are refused. OpenCode's own tool overwrites it, and shows a
    diff that only adds: neither the person who allows it nor the model would know that something was lost (law 3).

    Raises:
        PatchError: the patch cannot be read or does not fit; nothing was changed.
        FileChangedError: a file changed meanwhile and the patch does not fit what it holds now.
        FileError: a file cannot be read or written; nothing was changed.
        PermissionRejectedError: it may not be made.
    """
    sections = [
        Section(
            patch,
            remote_path(session, patch.path),
            None if patch.move_to is None else remote_path(session, patch.move_to),
        )
        for patch in await asyncio.to_thread(parse_patch, args.patch_text)
    ]
    paths = list(unique(path for section in sections for path in section.paths))
    async with exclusive(session, context, *paths):
        found = await unless_aborted(context, fetch(session, paths, EDIT_MAX_BYTES))
        files = {file.path: file for file in found}
        plan = await _plan(session, context, sections, files)
        await _ask(session, context, plan)
        try:
            applied = await _make(session, context, plan, files)
        except VersionConflict as conflict:
            plan = await _plan_again(session, context, sections, files, conflict, plan)
            try:
                applied = await _make(session, context, plan, files)
            except VersionConflict as again:
                raise _changed(again, "keeps being changed by someone else") from again
        for planned, made in zip(plan.changes, applied, strict=True):
            await keep(session, context.session_id, files[planned.path].real, made, planned.content)
    summary = "Success. Updated the following files:\n" + "\n".join(plan.summary(lambda p: relative(session, p)))
    return ToolResult(
        title=summary, output=summary, metadata={"diff": plan.diff, "files": _files(session, plan), "diagnostics": {}}
    )


async def _make(session: Session, context: ToolContext, plan: PatchPlan, files: dict[str, Fetched]) -> list[Applied]:
    return await change(session, context, "apply_patch", plan.changes, [files[made.path] for made in plan.changes])


async def _plan(
    session: Session, context: ToolContext, sections: list[Section], files: dict[str, Fetched]
) -> PatchPlan:
    """The patch, verified; each file outside the workspace is asked for before it is looked at, as OpenCode does."""
    planning = PatchPlanning(files, session.settings.encoding)
    for section in sections:
        for path in section.paths:
            await ask_external(session, context, files[path].real, directory=False)
        await asyncio.to_thread(planning.add, section)
    return planning.plan()


async def _plan_again(
    session: Session,
    context: ToolContext,
    sections: list[Section],
    files: dict[str, Fetched],
    conflict: VersionConflict,
    approved: PatchPlan,
) -> PatchPlan:
    """The patch on the fresh contents, approved; `files` is brought up to date.

    Raises:
        FileChangedError: it does not fit.
        PermissionRejectedError: the change is another one now, and was refused.
    """
    elsewhere = any(files[file.path].real != file.real for file in conflict.current)
    files.update({file.path: file for file in conflict.current})
    try:
        plan = await _plan(session, context, sections, files)
    except (FileError, PatchError) as error:
        raise _changed(
            conflict, f"was changed by someone else, and the patch does not fit any more: {error}"
        ) from error
    if elsewhere or plan.diff != approved.diff:
        await _ask(session, context, plan)
    return plan


async def _ask(session: Session, context: ToolContext, plan: PatchPlan) -> None:
    names = [relative(session, part.path) for part in plan.parts]
    also = unique(pattern for file in plan.touched for pattern in rule_patterns(session, file.path, file.real))
    patterns = [*names, *(pattern for pattern in also if pattern not in names)]
    metadata = {"filepath": ", ".join(names), "diff": plan.diff, "files": _files(session, plan)}
    await context.ask("edit", patterns, ["*"], metadata)


def _files(session: Session, plan: PatchPlan) -> list[dict[str, object]]:
    return [part.to_json(relative(session, part.move_to or part.path)) for part in plan.parts]


def _changed(conflict: VersionConflict, how: str) -> FileChangedError:
    names = ", ".join(file.path for file in conflict.current)
    return FileChangedError(f"{names} {how}", path=conflict.current[0].path, next_step=RE_READ)
