"""The folder worked in is gone: a call that failed for that reason says so, since its own error would mislead."""

from __future__ import annotations

from pybridge.errors import FileError, FileMissingError, PatchError, RemoteError, SearchError
from pybridge.host.model import Fetch, FileKind
from pybridge.tools.session import Session

_MAY_BE_WHY = (FileMissingError, SearchError, PatchError)


async def explained(error: RemoteError, session: Session) -> RemoteError:
    """`error`, or, where the workdir is no folder any more, an error that says that too.

    It costs a round trip where something was not found, and nothing anywhere else.

    Args:
        error: what a call failed with.
        session: the remote folder it acted in.
    """
    if not isinstance(error, _MAY_BE_WHY) and type(error) is not FileError:
        return error
    workdir = session.workdir
    try:
        (found,) = await session.host.files.fetch([Fetch(workdir, max_bytes=0)])
    except RemoteError:
        return error
    if found.error is not None or found.kind is FileKind.DIRECTORY:
        return error
    what = "does not exist on the remote any more" if found.kind is FileKind.MISSING else "is not a folder any more"
    return FileMissingError(
        f"{error}\n\nThe folder {workdir}, in which this session works, {what}. Nothing was created or run.",
        path=workdir,
        next_step="Ask the user to put it back (a mount may be missing), or make it again with bash, `workdir` being "
        "one that exists; then the tools work again. To work elsewhere, start OpenCode with another REMOTE_WORKDIR.",
    )
