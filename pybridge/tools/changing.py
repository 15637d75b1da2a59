"""The one way tools change remote files: recorded in the journal, made, and noted how it went."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from pybridge.errors import ChangeLeftError, FileError, LocalStorageError, OutcomeUnknownError
from pybridge.host.model import Applied, Change, Fetched, VersionConflict
from pybridge.host.settling import NothingWrittenError
from pybridge.mirror.journal import Journal, Prepared
from pybridge.mirror.journal_entry import Image, Origin, State
from pybridge.tools.context import ToolContext
from pybridge.tools.session import Session

SMALL = 16 * 1024
"""Bytes that are written sooner than they are handed to a thread."""


async def change(
    session: Session,
    context: ToolContext,
    tool: str,
    changes: Sequence[Change],
    originals: Sequence[Fetched],
    allowed: Callable[[], Awaitable[None]],
) -> list[Applied]:
    """Make all changes or none, as `Files.apply` does; before, record them with the contents they were computed from.

    Recording costs no round trip. A change that leaves a file as it is needs no undo and is not recorded.

    Args:
        tool: its name, for the journal.
        originals: for each change, its file as it was when the change was computed.
        allowed: asks whether they may be made, and raises where they may not. Large contents are recorded meanwhile.

    Raises:
        VersionConflict, FileError, RemoteError: as `Files.apply`.
        LocalStorageError: it could not be recorded, and so was not made.
    """
    changes = [
        replace(one, base=file.content) if one.expected == file.version else one
        for one, file in zip(changes, originals, strict=True)
    ]
    journal = session.journal
    images = _images(changes, originals)
    if journal is None or not images:
        await allowed()
        return await session.host.files.apply(changes)
    prepared = await _meanwhile(allowed, journal, images)
    origin = Origin(context.session_id, context.message_id, context.call_id, tool)
    entry = journal.begin(origin, images, prepared)
    made = journal.records.marking(entry, State.MADE)
    asyncio.get_running_loop().call_soon(made.prepare)  # most likely while the request is under way
    try:
        applied = await session.host.files.apply(changes)
    except BaseException as error:
        made.drop()
        # In the loop, here and below: a call that is being cancelled has no time to wait for a thread, and one small
        # file takes less time than handing it to a thread.
        journal.records.mark(entry, State.NOT_MADE if was_not_made(error) else State.UNKNOWN)
        raise
    made.mark()
    return applied


async def _meanwhile(allowed: Callable[[], Awaitable[None]], journal: Journal, images: list[Image]) -> Prepared | None:
    """Wait for `allowed`, and have the contents put into the journal meanwhile, if that is worth a thread."""
    if len(images) == 1 and sum(len(one.before or b"") + len(one.after or b"") for one in images) <= SMALL:
        await allowed()
        return None
    preparing = asyncio.ensure_future(asyncio.to_thread(journal.prepare, images))
    try:
        await allowed()
    except BaseException:
        preparing.add_done_callback(lambda done: _discard(journal, done))
        raise
    return await preparing


def _discard(journal: Journal, preparing: asyncio.Future[Prepared]) -> None:
    if not preparing.cancelled() and preparing.exception() is None:
        journal.discard(preparing.result())


def was_not_made(error: BaseException) -> bool:
    """Whether it is certain after this error of `Files.apply` that nothing was changed."""
    if isinstance(error, OutcomeUnknownError | ChangeLeftError):
        return False
    return isinstance(error, VersionConflict | FileError | NothingWrittenError | LocalStorageError)


def _images(changes: Sequence[Change], originals: Sequence[Fetched]) -> list[Image]:
    modes = {file.path: file.stat.mode & 0o7777 for file in originals if file.stat is not None}
    images = []
    for change, file in zip(changes, originals, strict=True):
        if change.content == file.content:
            continue
        new_mode = modes.get(change.mode_from) if change.mode_from is not None else None
        images.append(Image(change.path, file.real, file.content, change.content, modes.get(file.path), new_mode))
    return images
