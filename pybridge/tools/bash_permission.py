"""What is asked before a command runs: `external_directory` for the folders it reaches, `bash` for what it does."""

from __future__ import annotations

import posixpath

from pybridge.host.model import Fetch, FileKind
from pybridge.tools.aborting import unless_aborted
from pybridge.tools.command_parts import take_apart
from pybridge.tools.context import ToolContext
from pybridge.tools.permissions import is_inside, unique
from pybridge.tools.session import Session


async def ask_bash(session: Session, context: ToolContext, command: str, workdir: str) -> None:
    """Ask for everything one command needs.

    Paths are judged by where they really lead; looking that up costs a round trip, and only if the command names any.

    Args:
        command: the command line.
        workdir: remote absolute folder it is to run in.

    Raises:
        PermissionRejectedError: it was refused; nothing was run.
    """
    parts = take_apart(command, workdir, session.home)
    wanted = [*parts.paths, *([workdir] if workdir != session.workdir else [])]
    asked = [Fetch(path, max_bytes=0) for path in wanted]
    found = await unless_aborted(context, session.host.files.fetch(asked)) if wanted else []
    outside = unique(
        file.real if file.kind is FileKind.DIRECTORY or file.path == workdir else posixpath.dirname(file.real)
        for file in found
        if not is_inside(session, file.real)
    )
    if outside:
        patterns = [posixpath.join(folder, "*") for folder in outside]
        metadata = {"command": command, "directories": outside, "patterns": patterns}
        await context.ask("external_directory", patterns, patterns, metadata)
    if parts.patterns:
        await context.ask("bash", parts.patterns, parts.always, {"command": command})
