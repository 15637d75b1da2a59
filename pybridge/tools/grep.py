"""grep: lines of remote files that match a regular expression."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pybridge.editing.js_text import first_whole_units, length
from pybridge.errors import ToolError
from pybridge.host.model import FileKind, GrepResult, Match
from pybridge.tools import kept_output
from pybridge.tools.aborting import unless_aborted
from pybridge.tools.arguments import GrepArguments
from pybridge.tools.context import ToolContext, ToolResult
from pybridge.tools.glob import missing_root
from pybridge.tools.permissions import ask_external, remote_path
from pybridge.tools.remote_files import fetch_one, require_readable
from pybridge.tools.search_root import search_inside
from pybridge.tools.session import Session

LIMIT = 100
MAX_LINE_LENGTH = 2000


async def execute(args: GrepArguments, context: ToolContext, session: Session) -> ToolResult:
    """Show the lines that match, file by file.

    Raises:
        FileMissingError: the folder or file to look in does not exist.
        SearchError: the pattern is no regular expression, or the search cannot be run.
        PermissionRejectedError: it may not be run.
    """
    if not args.pattern:
        raise ToolError("pattern is required")
    asked = {"pattern": args.pattern, "path": args.path, "include": args.include}
    metadata = {key: value for key, value in asked.items() if value is not None}
    await context.ask("grep", [args.pattern], ["*"], metadata)
    local = session.local_files.find(args.path) if args.path is not None else None
    if args.path is not None and local is not None and local.is_file():
        kept = await kept_output.search(local, args.path, args.pattern, LIMIT, context.abort)
        return _result(args.pattern, kept)
    root = session.workdir if args.path is None else remote_path(session, args.path)
    search = partial(
        session.host.search.grep, args.pattern, root, include=args.include, limit=LIMIT, abort=context.abort
    )
    found = await search_inside(session, root, search)
    if found is None:
        place = await unless_aborted(context, fetch_one(session, root, 0))
        await ask_external(session, context, place.real, directory=place.kind is FileKind.DIRECTORY)
        require_readable(place)
        if place.kind is FileKind.MISSING:
            raise missing_root(root)
        found = await search()
    return _result(args.pattern, found)


def _result(pattern: str, found: GrepResult) -> ToolResult:
    truncated = found.truncated or len(found.matches) == LIMIT
    return ToolResult(
        title=pattern,
        output=render(found.matches, truncated),
        metadata={"matches": len(found.matches), "truncated": truncated},
    )


def render(matches: Sequence[Match], truncated: bool) -> str:
    """The text the model reads. Each line keeps its own end, so that an empty line follows a match, as in OpenCode."""
    if not matches:
        return "No files found"
    lines = [f"Found {len(matches)} matches{' (more matches available)' if truncated else ''}"]
    path = None
    for match in matches:
        if match.path != path:
            if path is not None:
                lines.append("")
            path = match.path
            lines.append(f"{path}:")
        lines.append(f"  Line {match.line}: {_shortened(match.text + match.end)}")
    if truncated:
        lines += ["", "(Results truncated. Consider using a more specific path or pattern.)"]
    return "\n".join(lines)


def _shortened(line: str) -> str:
    return first_whole_units(line, MAX_LINE_LENGTH) + "..." if length(line) > MAX_LINE_LENGTH else line
