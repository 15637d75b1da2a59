"""Changes computed from files as last seen: one round trip, because the change itself verifies that they still are so.

Whatever stands in the way of that is no answer: everything is then done once more on what the remote really holds, and
only that decides what the model is told. Nobody is asked twice for the same change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pybridge.errors import ChangeLeftError, EditError, FileError, OutcomeUnknownError, PatchError
from pybridge.host.difference import difference
from pybridge.host.files import INLINE_BYTES
from pybridge.host.model import Change, Fetched, FileKind, VersionConflict
from pybridge.mirror.content_store import ContentStore
from pybridge.tools.context import ToolContext
from pybridge.tools.permissions import is_inside
from pybridge.tools.session import Session

T = TypeVar("T")

Approved = tuple[str, tuple[str, ...]]
"""The diff that was shown, and where each of its files really lies."""


@dataclass
class Approval:
    """The change a person, or a rule, has allowed in a call."""

    approved: Approved | None = field(default=None)

    async def need(self, diff: str, files: Sequence[Fetched], ask: Callable[[], Awaitable[None]]) -> None:
        """Ask, unless it is the very change that was allowed before.

        Args:
            diff: the change as it is shown.
            files: the files it touches; that one leads elsewhere makes it another change.
            ask: raises PermissionRejectedError where it is refused.
        """
        asked = diff, tuple(file.real for file in files)
        if asked != self.approved:
            await ask()
            self.approved = asked


class NotInOneRequestError(FileError):
    """The new contents are too large to travel within the request that verifies what they replace."""


def require_one_request(changes: Sequence[Change], files: Sequence[Fetched]) -> None:
    """Refuse contents that are uploaded ahead of the comparison.

    Args:
        files: as they were when the changes were computed.

    Raises:
        NotInOneRequestError: one is.
    """
    bases = {file.path: file.content for file in files}
    for change in changes:
        content = change.content or b""
        if len(content) <= INLINE_BYTES:
            continue
        differs = difference(bases.get(change.path), content)
        if differs is None or len(differs.new) > INLINE_BYTES:
            raise NotInOneRequestError("too large for one request", path=change.path)


async def known(session: Session, paths: Sequence[str], *, missing: bool = False) -> list[Fetched] | None:
    """Each path as last seen, its content from the mirror; None unless all of them are known as files in the workspace.

    Args:
        paths: remote absolute paths.
        missing: whether files known not to be there will do, too.
    """
    seen: list[Fetched] = []
    for path in paths:
        file = session.host.files.known(path)
        if file is None or not is_inside(session, file.real) or (file.kind is FileKind.MISSING and not missing):
            return None
        seen.append(file)
    return await asyncio.to_thread(_with_contents, session.store, seen)


def _with_contents(store: ContentStore, seen: Sequence[Fetched]) -> list[Fetched] | None:
    files = []
    for file in seen:
        if file.kind is FileKind.MISSING:
            files.append(file)
            continue
        held = store.get(file.real)
        if held is None or held[0] != file.version:
            return None
        files.append(replace(file, content=held[1]))
    return files


async def on_known(
    session: Session,
    context: ToolContext,
    paths: Sequence[str],
    make: Callable[[list[Fetched]], Awaitable[T]],
    *,
    missing: bool = False,
) -> T | None:
    """What `make` makes of the files as last seen.

    Args:
        paths: remote absolute paths of all files the call touches.
        make: computes the change, asks for it and makes it.
        missing: whether it makes something of files that are not there, too.

    Returns:
        None if nothing was made: the files are not known, are not as they were, or it does not fit what they held.

    Raises:
        RemoteError: it was refused, the link was lost over it, or what was done is not known.
    """
    files = None if context.abort.is_set() else await known(session, paths, missing=missing)
    if files is None:
        return None
    try:
        return await make(files)
    except (OutcomeUnknownError, ChangeLeftError):
        raise
    except (VersionConflict, FileError, EditError, PatchError):
        return None
