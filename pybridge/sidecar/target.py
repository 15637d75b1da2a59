"""The remote folder behind the sidecar: from settings to a session that tools act on.

No heavy imports here (asyncssh, pydantic): the handshake with OpenCode does not wait for them.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pybridge.sidecar.calls import ToolCall
    from pybridge.tools.conversation import Conversation, Point
    from pybridge.tools.mentions.user_message import UserMessage
    from pybridge.tools.surroundings.descriptions import Where
    from pybridge.tools.surroundings.prompt import RemoteSurroundings
    from pybridge.tools.surroundings.remote import Wanted


class Target(Protocol):
    """A connected remote folder."""

    @property
    def host(self) -> str:
        """The host, as a person would name it."""
        ...

    @property
    def workdir(self) -> str:
        """Remote absolute path of the folder."""
        ...

    async def call(self, tool: str, args: object, call: ToolCall) -> dict[str, Any]:
        """Carry out one tool call.

        Raises:
            RemoteError: with the message the model reads.
        """
        ...

    async def deliver(self, message: UserMessage) -> list[dict[str, Any]]:
        """The parts a user's message is to have; see `pybridge.tools.mentions.delivery.deliver`.

        Raises:
            RemoteError: the remote cannot be asked.
        """
        ...

    @property
    def where(self) -> Where:
        """What the descriptions of the tools say of the remote."""
        ...

    async def surroundings(self, wanted: Wanted, deadline: float) -> RemoteSurroundings:
        """What a system prompt says of the remote; see `pybridge.tools.surroundings.remote.Surroundings.now`.

        Raises:
            RemoteError, TimeoutError: the remote does not answer, and nothing is known of it.
        """
        ...

    async def revert(self, point: Point | None, conversation: Conversation) -> dict[str, str]:
        """Undo the changes of messages the user took back, make those again that he brought back.

        Args:
            point: where the session is taken back to; None for nowhere.
            conversation: what is left of the session.

        Returns:
            `title`, `message` and `variant` of a notice for the user; nothing where there is nothing to tell.

        Raises:
            RemoteError: nothing could be done.
        """
        ...

    def forget(self, session_id: str) -> None:
        """An OpenCode session was deleted."""
        ...

    def add_skill(self, folder: str) -> None:
        """OpenCode has told the model of a skill in this local folder."""
        ...

    async def run(
        self, text: str, folder: str, abort: asyncio.Event, send: Callable[[int, bytes], Awaitable[None]]
    ) -> tuple[int | None, str | None]:
        """Run a command of the user's own; see `pybridge.tools.user_command.run`.

        Returns:
            its exit code, or the name of the signal that ended it (TERM when it was aborted).

        Raises:
            RemoteError: it could not be run, or the connection was lost.
        """
        ...

    async def close(self) -> None:
        """End every remote process and connection."""
        ...


LinkReport = Callable[[str, BaseException | None], None]
"""Told of changes of a link that was ready: `reconnecting`, `ready`, and with the error `lost` or `failed`."""

Connect = Callable[[Mapping[str, str], Mapping[str, str], LinkReport], Awaitable[Target]]
"""Makes a Target of REMOTE_* and PYBRIDGE_* variables, and of the secrets handed over apart."""


async def connect_remote(env: Mapping[str, str], secrets: Mapping[str, str], report: LinkReport) -> Target:
    """Connect to the real remote folder. Modules load beside the protocol, and the tools' beside the handshake."""
    finding = await asyncio.to_thread(importlib.import_module, "pybridge.sidecar.finding")
    way = await finding.find_way(env, secrets)
    try:
        reaching = await asyncio.to_thread(importlib.import_module, "pybridge.sidecar.reaching")
        return await _open(reaching, way, env, report)
    finally:
        way.close()


async def _open(reaching: Any, way: Any, env: Mapping[str, str], report: LinkReport) -> Target:
    loading = asyncio.ensure_future(_load_tools(way.on_its_way))
    try:
        reached = await reaching.reach(way, env)
        try:
            remote = await asyncio.shield(loading)
        except BaseException:
            await reached.close()
            raise
        return await remote.open_folder(reached, report)
    finally:
        way.on_its_way.set()
        await asyncio.wait([loading])


async def _load_tools(on_its_way: asyncio.Event) -> Any:
    # Only one thread runs at a time: not while there is still something to send, but once it is waited for the answer.
    await on_its_way.wait()
    return await asyncio.to_thread(importlib.import_module, "pybridge.sidecar.remote")
