"""The contents of a user's @file mentions, within a deadline: the message waits for them."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Mapping
from typing import Any

from pybridge.errors import RemoteError, RemoteTimeoutError
from pybridge.sidecar.connection import Connection
from pybridge.sidecar.jsonrpc import InvalidParams
from pybridge.sidecar.peer import Incoming

log = logging.getLogger(__name__)

DEADLINE = 30.0
"""Seconds to connect and read, for a message that mentions a file for certain."""

GUESS_DEADLINE = 5.0
"""The same for a message with words that may or may not be a file's: `@name`."""


async def deliver(params: Mapping[str, Any], connection: Connection, incoming: Incoming) -> dict[str, Any]:
    """The parts a message is to have.

    Args:
        params: see `pybridge.tools.mentions.user_message.UserMessage.parse`.

    Returns:
        `{"parts": [...]}` as `pybridge.tools.mentions.delivery.deliver` gives them; null where the message stays as it
        is. What cannot be had is an error in its place, also when the remote cannot be reached.

    Raises:
        InvalidParams: the parameters are not of this method.
    """
    user_message = await asyncio.to_thread(importlib.import_module, "pybridge.tools.mentions.user_message")
    try:
        message = user_message.UserMessage.parse(params)
    except ValueError as error:
        raise InvalidParams(str(error)) from error
    if not message.asks:
        return {"parts": None}
    seconds = DEADLINE if message.certain else GUESS_DEADLINE
    try:
        async with asyncio.timeout(seconds):
            target = await connection.target(incoming.cancelled)
            if target is None:
                raise RemoteError("The connection was closed.")
            return {"parts": await target.deliver(message)}
    except TimeoutError:
        failure: RemoteError = RemoteTimeoutError(
            f"The remote did not answer within {seconds:g} s.", next_step="Try again, or read it with the read tool."
        )
    except RemoteError as error:
        failure = error
    except Exception as error:
        log.exception("mentions could not be delivered")
        failure = RemoteError(f"It could not be read: {type(error).__name__}: {error}.", next_step="Use the read tool.")
    mentions = await asyncio.to_thread(importlib.import_module, "pybridge.tools.mentions.delivery")
    return {"parts": mentions.undelivered(message, failure)}
