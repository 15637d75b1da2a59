"""apply_patch: a patch for several remote files, made as a whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pybridge.editing.file_patch import PatchKind
from pybridge.editing.patches import parse_patch
from pybridge.errors import FileChangedError, FileError, PatchError
from pybridge.host.model import Fetched, VersionConflict
from pybridge.tools.aborting import unless_aborted
from pybridge.tools.arguments import ApplyPatchArguments
from pybridge.tools.changing import change
from pybridge.tools.context import ToolContext, ToolResult
from pybridge.tools.exclusive import exclusive
from pybridge.tools.known_files import Approval, on_known, require_one_request
from pybridge.tools.patch_plan import PatchPlan, PatchPlanning, Section
from pybridge.tools.permissions import ask_external, is_inside, relative, remote_path, rule_patterns, unique
from pybridge.tools.remote_files import EDIT_MAX_BYTES, fetch, keep_all
from pybridge.tools.session import Session

RE_READ = "Nothing was written. Read the files again and make a patch for what they hold now."


async def execute(args: ApplyPatchArguments, context: ToolContext, session: Session) -> ToolResult:
    """Make all changes of a patch, in OpenCode's format or as a unified diff.

    All files are fetched in one round trip and everything is verified before the one permission is asked; then all
    changes go in one round trip, which is enough where a patch only updates files that are known as they are. Where a
    file changes meanwhile, the patch is computed once more on what it holds then.

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
    patch = _Patch(sections, session, context)
    async with exclusive(session, context, *paths):
        plan = await on_known(session, context, paths, patch.on_known) if patch.only_updates else None
        if plan is None:
            plan = await patch.on_fetched(await unless_aborted(context, fetch(session, paths, EDIT_MAX_BYTES)))
    summary = "Success. Updated the following files:\n" + "\n".join(plan.summary(lambda p: relative(session, p)))
    return ToolResult(
        title=summary, output=summary, metadata={"diff": plan.diff, "files": _files(session, plan), "diagnostics": {}}
    )


@dataclass
class _Patch:
    """One call of the tool.

    Args:
        sections: what the patch says of each file, in its order.
        approval: what was allowed of it so far.
    """

    sections: list[Section]
    session: Session
    context: ToolContext
    approval: Approval = field(default_factory=Approval)

    @property
    def only_updates(self) -> bool:
        """Neither adds nor removes a file: for those the journal is to know what stands there now, mode and all."""
        return all(s.patch.kind is PatchKind.UPDATE and s.move_to is None for s in self.sections)

    async def on_known(self, files: list[Fetched]) -> PatchPlan:
        """Make it on the files as last seen; every error means that they are to be looked at."""
        plan = await self._plan(files)
        require_one_request(plan.changes, files)
        await self._make(plan)
        return plan

    async def on_fetched(self, files: list[Fetched]) -> PatchPlan:
        """Make it on what the files hold now."""
        plan = await self._plan(files)
        try:
            await self._make(plan)
        except VersionConflict as conflict:
            plan = await self._plan_again(files, conflict)
            try:
                await self._make(plan)
            except VersionConflict as again:
                raise _changed(again, "keeps being changed by someone else") from again
        return plan

    async def _plan(self, files: Iterable[Fetched]) -> PatchPlan:
        """The patch, verified; each file outside the workspace is asked for before it is looked at, as in OpenCode."""
        by_path = {file.path: file for file in files}
        planning = PatchPlanning(by_path, self.session.settings.encoding)
        ready: list[Section] = []

        def add() -> None:
            for section in ready:
                planning.add(section)

        for section in self.sections:
            reals = [by_path[path].real for path in section.paths]
            if not all(is_inside(self.session, real) for real in reals):
                # What is wrong with those before it is told before anything is asked.
                await asyncio.to_thread(add)
                ready.clear()
                for real in reals:
                    await ask_external(self.session, self.context, real, directory=False)
            ready.append(section)
        await asyncio.to_thread(add)
        return planning.plan()

    async def _plan_again(self, files: Iterable[Fetched], conflict: VersionConflict) -> PatchPlan:
        """The patch on the fresh contents.

        Raises:
            FileChangedError: it does not fit.
            PermissionRejectedError: a file outside the workspace may not be changed.
        """
        fresh = {file.path: file for file in (*files, *conflict.current)}
        try:
            return await self._plan(fresh.values())
        except (FileError, PatchError) as error:
            raise _changed(
                conflict, f"was changed by someone else, and the patch does not fit any more: {error}"
            ) from error

    async def _make(self, plan: PatchPlan) -> None:
        """Make it, once it is allowed."""
        originals = {file.path: file for file in plan.touched}
        files = [originals[planned.path] for planned in plan.changes]
        changes = [replace(planned, real=file.real) for planned, file in zip(plan.changes, files, strict=True)]

        async def allowed() -> None:
            await self.approval.need(plan.diff, plan.touched, lambda: self._ask(plan))

        applied = await change(self.session, self.context, "apply_patch", changes, files, allowed)
        done = zip(files, applied, changes, strict=True)
        keep_all(self.session, self.context.session_id, [(file.real, made, c.content) for file, made, c in done])

    async def _ask(self, plan: PatchPlan) -> None:
        names = [relative(self.session, part.path) for part in plan.parts]
        also = unique(p for file in plan.touched for p in rule_patterns(self.session, file.path, file.real))
        patterns = [*names, *(pattern for pattern in also if pattern not in names)]
        metadata = {"filepath": ", ".join(names), "diff": plan.diff, "files": _files(self.session, plan)}
        await self.context.ask("edit", patterns, ["*"], metadata)


def _files(session: Session, plan: PatchPlan) -> list[dict[str, object]]:
    return [part.to_json(relative(session, part.move_to or part.path)) for part in plan.parts]


def _changed(conflict: VersionConflict, how: str) -> FileChangedError:
    names = ", ".join(file.path for file in conflict.current)
    return FileChangedError(f"{names} {how}", path=conflict.current[0].path, next_step=RE_READ)
