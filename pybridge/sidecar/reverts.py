"""OpenCode's /undo and /redo, as the shim tells of them, carried out on the remote."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from pybridge.errors import RemoteError
from pybridge.locations import state_folder
from pybridge.mirror.reverted_changes import Reverted, RevertedChanges
from pybridge.sidecar.connection import Connection
from pybridge.sidecar.jsonrpc import InvalidParams, PeerClosed, RpcError
from pybridge.sidecar.turns import SessionTurns
from pybridge.tools.conversation import Conversation, Message, Part, Point

log = logging.getLogger(__name__)

CONNECT_SECONDS = 60.0
"""How long one waits for the connection. The session's calls wait meanwhile, as they would anyway."""

CONVERSATION_SECONDS = 30.0
"""How long the shim may take to say what is left of a session."""

CALLS_SECONDS = 20.0
"""How long calls of the session may go on that were aborted just before."""

Ask = Callable[[], Awaitable[Any]]


async def revert(
    params: dict[str, Any],
    connection: Connection,
    turns: SessionTurns,
    ask: Ask,
    aborted: asyncio.Event,
) -> dict[str, Any]:
    """A session was taken back to a point, or is whole again (point null): see to its changes.

    Args:
        params: `sessionID` and `point` (`messageID`, `partID`).
        connection: to the remote folder.
        turns: of the sessions.
        ask: asks the shim for `session.conversation`.
        aborted: set when the sidecar is to end.

    Returns:
        `title`, `message` and `variant` of a notice for the user; nothing where there is nothing to tell.

    Raises:
        InvalidParams: the parameters are not of this method.
    """
    session_id = params.get("sessionID")
    if not isinstance(session_id, str):
        raise InvalidParams("sessionID must be a string")
    point = _point(params.get("point"))
    async with turns.revert(session_id):
        if point is None and not reverted_changes().get(session_id).changes:
            return {}  # the usual: any other news of a session that was never taken back
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                target = await connection.target(aborted)
            async with asyncio.timeout(CONVERSATION_SECONDS):
                conversation = _conversation(session_id, await ask())
            if target is None:
                return {}
            if not await turns.calls_ended(conversation.sessions, CALLS_SECONDS):
                log.warning("calls of session %s have not ended; what they change is not taken back", session_id)
            return await target.revert(point, conversation)
        except TimeoutError:
            return _failed("The remote, or OpenCode, did not answer in time.")
        except PeerClosed:
            return {}
        except (RemoteError, RpcError) as error:
            return _failed(str(error).split("\n")[0])


def forget(session_id: str) -> None:
    """A session was deleted: it cannot be brought back."""
    try:
        reverted_changes().put(session_id, Reverted())
    except (OSError, RemoteError) as error:
        log.info("what was taken back of session %s could not be forgotten: %s", session_id, error)


def reverted_changes() -> RevertedChanges:
    """The changes that /undo has undone."""
    return RevertedChanges(state_folder() / "reverted")


def _failed(reason: str) -> dict[str, Any]:
    message = f"Not restored on the remote: {reason} See `pybridge history`."
    return {"title": "Remote files", "message": message, "variant": "error"}


def _point(value: Any) -> Point | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("messageID"), str):
        raise InvalidParams("point must be null, or an object with a messageID")
    return Point(value["messageID"], _text_or_none(value.get("partID")))


def _conversation(session_id: str, value: Any) -> Conversation:
    try:
        messages = [
            Message(str(message["id"]), [_part(part) for part in message["parts"]], bool(message.get("copied")))
            for message in value["messages"]
        ]
        parents = {str(child["id"]): str(child["parent"]) for child in value["children"]}
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise InvalidParams("session.conversation was answered with something else") from error
    return Conversation(session_id, messages, parents)


def _part(value: Any) -> Part:
    time = value.get("time")
    began_ended = None if time is None else (time[0] / 1000, time[1] / 1000)
    return Part(str(value["id"]), _text_or_none(value.get("call")), _text_or_none(value.get("session")), began_ended)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
