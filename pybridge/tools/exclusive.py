"""One change at a time per remote file, in a wait that an abort ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pybridge.errors import CancelledByUserError
from pybridge.tools.context import ToolContext
from pybridge.tools.session import Session


@asynccontextmanager
async def exclusive(session: Session, context: ToolContext, *paths: str) -> AsyncIterator[None]:
    """Hold the locks of the files for the body.

    Two names of one file that were never looked at count as two files; the remote's compare-and-swap then decides.

    Args:
        paths: remote absolute paths.

    Raises:
        CancelledByUserError: the call was aborted while it waited.
        RemoteTimeoutError: a file was not free in time.
    """
    holding = session.locks.hold(*(session.real_paths.recall(path) for path in paths))
    entering = asyncio.ensure_future(holding.__aenter__())
    aborting = asyncio.ensure_future(context.abort.wait())
    try:
        await asyncio.wait({entering, aborting}, return_when=asyncio.FIRST_COMPLETED)
        if not entering.done():
            raise CancelledByUserError("The call was aborted while it waited for another one. Nothing was changed.")
    finally:
        aborting.cancel()
        if not entering.done():
            entering.cancel()
            await asyncio.wait({entering})
    entering.result()
    try:
        yield
    finally:
        await holding.__aexit__(None, None, None)
