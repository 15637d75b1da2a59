"""One tool call of OpenCode's while it runs: the context its tool gets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from pybridge.errors import CancelledByUserError, PermissionRejectedError
from pybridge.sidecar.jsonrpc import REJECTED, InvalidParams, PeerClosed, RpcError
from pybridge.sidecar.peer import Incoming, Peer

log = logging.getLogger(__name__)


class ToolCall:
    """The context of one call: `pybridge.tools.context.ToolContext`, spoken over the protocol.

    Args:
        peer: the shim.
        incoming: the `tool.call` request.
        context: its `context` member.
    """

    def __init__(self, peer: Peer, incoming: Incoming, context: Mapping[str, Any]) -> None:
        self._peer = peer
        self._incoming = incoming
        self._context = {name: _text(context, name) for name in ("sessionID", "messageID", "callID", "agent")}
        self._instructions = _texts(context, "instructions")
        self._notices: asyncio.Task[None] | None = None
        self._next: tuple[str | None, Mapping[str, Any]] | None = None

    @property
    def session_id(self) -> str:
        """OpenCode's session."""
        return self._context["sessionID"]

    @property
    def message_id(self) -> str:
        """The message that holds the call."""
        return self._context["messageID"]

    @property
    def call_id(self) -> str:
        """OpenCode's id of the call."""
        return self._context["callID"]

    @property
    def agent(self) -> str:
        """Name of the agent that calls."""
        return self._context["agent"]

    @property
    def abort(self) -> asyncio.Event:
        """Set when the user aborts the call."""
        return self._incoming.cancelled

    @property
    def instructions(self) -> frozenset[str]:
        """Instruction files that answers of the conversation hold."""
        return self._instructions

    async def ask(
        self, permission: str, patterns: Sequence[str], always: Sequence[str], metadata: Mapping[str, Any]
    ) -> None:
        """Ask OpenCode for a permission and wait for the answer.

        Raises:
            PermissionRejectedError: it was refused; the message is OpenCode's own.
            CancelledByUserError: the call was aborted meanwhile, or OpenCode is gone.
        """
        question = {
            "call": self._incoming.id,
            "permission": permission,
            "patterns": list(patterns),
            "always": list(always),
            "metadata": dict(metadata),
        }
        answer = asyncio.ensure_future(self._peer.request("permission.ask", question))
        aborted = asyncio.ensure_future(self.abort.wait())
        try:
            await asyncio.wait({answer, aborted}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise CancelledByUserError("The call was aborted while it waited for a permission. Nothing was done.")
            answer.result()
        except PeerClosed:
            raise CancelledByUserError("OpenCode ended while a permission was asked for. Nothing was done.") from None
        except RpcError as error:
            if error.code == REJECTED:
                raise PermissionRejectedError(error.message) from None
            raise PermissionRejectedError(f"The permission could not be asked for: {error.message}") from None
        finally:
            answer.cancel()
            aborted.cancel()

    def progress(self, title: str | None, metadata: Mapping[str, Any]) -> None:
        """Show something of the running call; never waits. While one notice is being sent, only the newest is kept."""
        self._next = (title, metadata)
        if self._notices is None or self._notices.done():
            self._notices = asyncio.get_running_loop().create_task(self._send_notices())

    async def _send_notices(self) -> None:
        while self._next is not None:
            (title, metadata), self._next = self._next, None
            params: dict[str, Any] = {"call": self._incoming.id, "metadata": dict(metadata)}
            if title is not None:
                params["title"] = title
            try:
                await self._peer.notify("tool.progress", params)
            except (TypeError, ValueError) as error:
                log.warning("progress that is no JSON: %s", error)

    async def finish(self) -> None:
        """Let no notice overtake the call's result."""
        self._next = None
        if self._notices is not None:
            await self._notices


def _texts(context: Mapping[str, Any], name: str) -> frozenset[str]:
    value = context.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidParams(f"context.{name} must be an array of strings")
    return frozenset(value)


def _text(context: Mapping[str, Any], name: str) -> str:
    value = context.get(name, "")
    if not isinstance(value, str):
        raise InvalidParams(f"context.{name} must be a string")
    return value
