"""Which remote path an argument means, how it is shown, and what is asked before it is touched.

Whether a path lies in the workspace is decided by its real path, as the remote resolved it: a symlink leads out of the
workspace just as `..` does (acceptance D13). Rules a user wrote for names still see the names.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence

from pybridge.host.model import Fetched, FileKind
from pybridge.mirror.remote_paths import is_below, normalize_remote
from pybridge.tools.context import ToolContext
from pybridge.tools.session import Session


def remote_path(session: Session, path: str) -> str:
    """The remote absolute path an argument means: absolute, `~`, relative to the workdir, or under the local anchor.

    Raises:
        ToolArgumentsError: it holds a NUL character.
    """
    return normalize_remote(path, session.workdir, session.home, session.anchors)


def relative(session: Session, path: str) -> str:
    """`path` as seen from the work tree, as Node's `path.relative` gives it ("" for the work tree itself)."""
    shown = posixpath.relpath(path, session.worktree)
    return "" if shown == "." else shown


def is_inside(session: Session, real: str) -> bool:
    """Whether a real path belongs to the workspace: the workdir, the git work tree around it, our temporary folder."""
    if session.temporary is not None and session.temporary.contains(real):
        return True
    if is_below(real, session.workdir):
        return True
    return session.worktree != "/" and is_below(real, session.worktree)


def rule_patterns(session: Session, path: str, real: str) -> list[str]:
    """The patterns one file is asked by: its name, and where a symlink takes it if that is elsewhere.

    A rule against `*.env` then also holds for a symlink of another name that leads to such a file.
    """
    patterns = [relative(session, path)]
    if real != path and relative(session, real) not in patterns:
        patterns.append(relative(session, real))
    return patterns


async def ask_external(session: Session, context: ToolContext, real: str, *, directory: bool) -> None:
    """Ask for `external_directory` where a path leads out of the workspace.

    Args:
        real: remote absolute path, symlinks resolved.
        directory: the path is a folder itself; otherwise the folder it lies in is asked for.

    Raises:
        PermissionRejectedError: it was refused.
    """
    if is_inside(session, real):
        return
    folder = real if directory else posixpath.dirname(real)
    pattern = posixpath.join(folder, "*")
    await context.ask("external_directory", [pattern], [pattern], {"filepath": real, "parentDir": folder})


async def ask_read(session: Session, context: ToolContext, file: Fetched) -> None:
    """Ask for everything reading one path needs.

    Raises:
        PermissionRejectedError: it was refused.
    """
    await ask_external(session, context, file.real, directory=file.kind is FileKind.DIRECTORY)
    await context.ask("read", rule_patterns(session, file.path, file.real), ["*"], {})


async def ask_edit(session: Session, context: ToolContext, path: str, real: str, diff: str) -> None:
    """Ask for changing one file, showing the change.

    Raises:
        PermissionRejectedError: it was refused.
    """
    await context.ask("edit", rule_patterns(session, path, real), ["*"], {"filepath": path, "diff": diff})


def unique(patterns: Iterable[str]) -> Sequence[str]:
    """The patterns in order, each once."""
    return list(dict.fromkeys(patterns))
