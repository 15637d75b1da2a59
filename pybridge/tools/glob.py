"""glob: names of remote files by pattern, the newest first."""

from __future__ import annotations

import posixpath
from functools import partial

from pybridge.errors import FileMissingError, ToolError
from pybridge.host.model import FileKind
from pybridge.tools.aborting import unless_aborted
from pybridge.tools.arguments import GlobArguments
from pybridge.tools.context import ToolContext, ToolResult
from pybridge.tools.permissions import ask_external, relative, remote_path
from pybridge.tools.remote_files import fetch_one, require_readable
from pybridge.tools.search_root import search_inside
from pybridge.tools.session import Session

LIMIT = 100


async def execute(args: GlobArguments, context: ToolContext, session: Session) -> ToolResult:
    """List the files whose names fit.

    Raises:
        FileMissingError: the folder does not exist.
        ToolError: a file stands where the folder is meant.
        SearchError: the search cannot be run.
        PermissionRejectedError: it may not be run.
    """
    metadata = {"pattern": args.pattern} | ({"path": args.path} if args.path is not None else {})
    await context.ask("glob", [args.pattern], ["*"], metadata)
    root = session.workdir if args.path is None else remote_path(session, args.path)
    search = partial(session.host.search.glob, args.pattern, root, limit=LIMIT, abort=context.abort)
    found = await search_inside(session, root, search)
    if found is None:
        await require_folder(session, context, root)
        found = await search()
    truncated = found.truncated or len(found.paths) == LIMIT
    lines = list(found.paths) or ["No files found"]
    if truncated:
        lines += [
            "",
            f"(Results are truncated: showing first {LIMIT} results. Consider using a more specific path or pattern.)",
        ]
    return ToolResult(
        title=relative(session, root),
        output="\n".join(lines),
        metadata={"count": len(found.paths), "truncated": truncated},
    )


async def require_folder(session: Session, context: ToolContext, root: str) -> None:
    """Make sure that glob may look in `root`.

    Raises:
        FileMissingError, ToolError: it is no folder.
        PermissionRejectedError: it lies outside the workspace, and that was refused.
    """
    folder = await unless_aborted(context, fetch_one(session, root, 0))
    if folder.kind not in (FileKind.DIRECTORY, FileKind.MISSING):
        raise ToolError(f"glob path must be a directory: {root}")
    await ask_external(session, context, folder.real, directory=True)
    require_readable(folder)
    if folder.kind is FileKind.MISSING:
        raise missing_root(root)


def missing_root(root: str) -> FileMissingError:
    """The error for a search in what does not exist."""
    return FileMissingError(
        f"No such file or directory: {root}",
        path=root,
        next_step=f"Leave `path` out, or use one that exists; {posixpath.dirname(root)} is the folder above it.",
    )
