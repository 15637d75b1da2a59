"""Searching a root that nobody has to be asked about: one round trip finds that out, and searches."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol, TypeVar

from pybridge.errors import SearchRootError
from pybridge.tools.permissions import is_inside
from pybridge.tools.session import Session

T_co = TypeVar("T_co", covariant=True)


class RootSearch(Protocol[T_co]):
    """A search of one root, everything said but where that must lie."""

    def __call__(self, *, within: Sequence[str] | None = None) -> Awaitable[T_co]: ...


async def search_inside(session: Session, root: str, search: RootSearch[T_co]) -> T_co | None:
    """Search a root that really lies in the workspace, wherever its name leads.

    Args:
        root: remote absolute path.
        search: is told where the root must lie.

    Returns:
        None if it has to be looked at, and perhaps asked about, first. Then nothing was searched.

    Raises:
        What `search` raises.
    """
    if root == session.workdir:
        return await search()
    if not is_inside(session, root):
        return None
    around = [] if session.worktree == "/" else [session.worktree]
    try:
        return await search(within=[session.workdir, *around])
    except SearchRootError:
        return None
