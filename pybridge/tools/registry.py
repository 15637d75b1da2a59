"""The seven tools by name, and the one way to call them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pybridge.errors import RemoteError, ToolError
from pybridge.host.fairness import on_behalf_of
from pybridge.tools import apply_patch, bash, edit, glob, grep, read, write
from pybridge.tools.arguments import parse_arguments
from pybridge.tools.context import ToolContext, ToolResult
from pybridge.tools.interrupted import with_interrupted
from pybridge.tools.long_text import shorten_error, shorten_result
from pybridge.tools.lost_workdir import explained
from pybridge.tools.session import Session

Tool = Callable[[Any, ToolContext, Session], Awaitable[ToolResult]]


TOOLS: dict[str, Tool] = {
    "bash": bash.execute,
    "glob": glob.execute,
    "grep": grep.execute,
    "read": read.execute,
    "write": write.execute,
    "edit": edit.execute,
    "apply_patch": apply_patch.execute,
}
"""What carries out each tool, by the name OpenCode calls it."""


async def call(tool: str, raw_args: object, context: ToolContext, session: Session) -> ToolResult:
    """Check the arguments of one call and carry it out.

    Args:
        tool: one of TOOLS.
        raw_args: the model's arguments, decoded from JSON.
        context: the call.
        session: the remote folder it acts in.

    Raises:
        ToolArgumentsError: the arguments do not fit.
        RemoteError: the call cannot be carried out; the message is what the model reads.
    """
    if tool not in TOOLS:
        raise ToolError(f"There is no tool {tool!r}.", next_step=f"The tools are: {', '.join(TOOLS)}.")
    try:
        args = parse_arguments(tool, raw_args)
        if session.temporary is not None:
            await session.temporary.prepare(raw_args)
        with on_behalf_of(context.session_id):
            result = shorten_result(await TOOLS[tool](args, context, session), session.spool)
        return with_interrupted(result, session)
    except RemoteError as failure:
        error = await explained(failure, session)
        shorten_error(error, session.spool)
        if error is not failure:
            raise error from failure
        raise
