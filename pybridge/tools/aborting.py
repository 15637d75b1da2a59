"""Waits that an abort of the call ends at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from pybridge.errors import CancelledByUserError
from pybridge.tools.context import ToolContext

T = TypeVar("T")


async def unless_aborted(context: ToolContext, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when the call is aborted. Only for what changes nothing on the remote.

    Raises:
        CancelledByUserError: the call was aborted.
    """
    working = asyncio.ensure_future(work)
    aborting = asyncio.ensure_future(context.abort.wait())
    try:
        await asyncio.wait({working, aborting}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise CancelledByUserError("The call was aborted. Nothing was done.")
    finally:
        aborting.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
    return working.result()
