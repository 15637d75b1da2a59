"""Files as the tools see them: fetched in one round trip, contents taken from the mirror where they still stand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pybridge.errors import FileError, SpecialFileError
from pybridge.host.model import ABSENT, Applied, Fetch, Fetched, FileKind, FileVersion, Lines
from pybridge.mirror.content_store import ContentStore
from pybridge.tools.session import Session

EDIT_MAX_BYTES = 16 * 1024 * 1024
"""The largest file that is changed as a whole: its text, the diff and the reply are in memory at once."""


async def fetch(
    session: Session, paths: Sequence[str], max_bytes: int, *, entries: bool = False, lines: Lines | None = None
) -> list[Fetched]:
    """Each path as it is now on the remote, its content filled in from the mirror where that still stands.

    Args:
        paths: remote absolute paths.
        max_bytes: contents larger than this stay away.
        entries: what is in the first of them is wanted, should it be a folder.
        lines: those wanted of the first of them, should it be larger than that.
    """
    reals = [session.real_paths.recall(path) for path in paths]
    if any(session.store.may_have(real) for real in reals):
        held = await asyncio.to_thread(_held, session.store, reals)
    else:
        held = [None] * len(reals)
    wanted = [Fetch(path, have[0] if have else None, max_bytes) for path, have in zip(paths, held, strict=True)]
    wanted[0] = replace(wanted[0], entries=entries, lines=lines)
    found = await session.host.files.fetch(wanted)
    whole = []
    for file, have in zip(found, held, strict=True):
        session.real_paths.remember(file.path, file.real)
        if file.unchanged and have is not None:
            file = replace(file, content=have[1], version=have[0])
        whole.append(file)
    return whole


def mirror(session: Session, files: Sequence[Fetched]) -> None:
    """Keep what was fetched for the next time. Only for what may be read: a refused file leaves no copy here."""
    _put_later(session.store, [(file.real, file.version, file.content) for file in files if not file.unchanged])


async def fetch_one(session: Session, path: str, max_bytes: int) -> Fetched:
    """One path as it is now; as `fetch`."""
    return (await fetch(session, [path], max_bytes))[0]


def keep(session: Session, session_id: str, real: str, applied: Applied, content: bytes | None) -> None:
    """Remember what one of our tools has just put in place, or removed; see `keep_all`."""
    keep_all(session, session_id, [(real, applied, content)])


def keep_all(session: Session, session_id: str, changed: Iterable[tuple[str, Applied, bytes | None]]) -> None:
    """Remember what one call of our tools has just put in place, or removed.

    Args:
        session_id: the OpenCode session that did it; it knows these versions now.
        changed: each file's real path on the remote, what was made of it, and its content, None after a removal.
    """
    found: list[tuple[str, FileVersion, bytes | None]] = []
    for real, applied, content in changed:
        session.versions.record(session_id, real, applied.version, named=applied.path)
        found.append((real, ABSENT if content is None else applied.version, content or b""))
    _put_later(session.store, found)


def _put_later(store: ContentStore, files: Iterable[tuple[str, FileVersion | None, bytes | None]]) -> None:
    store.put_later([(real, v, content) for real, v, content in files if v is not None and content is not None])


def require_readable(file: Fetched) -> None:
    """Refuse what can be neither read nor written as a file.

    Raises:
        FileError: it could not be read although it exists.
        SpecialFileError: it is a FIFO, a socket or a device.
    """
    if file.error is not None:
        raise file.error
    if file.kind is FileKind.SPECIAL:
        raise SpecialFileError(
            f"{file.path} is a FIFO, a socket or a device, not a file.",
            path=file.path,
            next_step="Use bash if you mean to talk to it.",
        )


def require_content(file: Fetched) -> tuple[bytes, FileVersion]:
    """The content and version of an existing file that is to be changed.

    Raises:
        FileError: it is larger than EDIT_MAX_BYTES.
    """
    if file.content is None or file.version is None:
        size = file.stat.size if file.stat else 0
        raise FileError(
            f"{file.path} has {size} bytes; files over {EDIT_MAX_BYTES // 1024 // 1024} MB are not changed as a whole.",
            path=file.path,
            next_step="Change it on the remote, for example with sed through bash.",
        )
    return file.content, file.version


def _held(store: ContentStore, reals: Iterable[str]) -> list[tuple[FileVersion, bytes] | None]:
    return [store.get(real) for real in reals]
