"""What the shim may call: initialize, tool.call, mentions.deliver, session.*, surroundings.*, status, shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pybridge import __version__
from pybridge.errors import CancelledByUserError, RemoteError
from pybridge.locations import write_private
from pybridge.sidecar import mentions, start, user_commands
from pybridge.sidecar.calls import ToolCall
from pybridge.sidecar.connection import LASTING, Connection
from pybridge.sidecar.idle_memory import IdleMemory
from pybridge.sidecar.jsonrpc import InvalidParams, InvalidRequest, RemoteFailure
from pybridge.sidecar.peer import Incoming, Method, Peer
from pybridge.sidecar.surroundings import Surroundings
from pybridge.sidecar.target import Connect, Target
from pybridge.sidecar.turns import SessionTurns
from pybridge.sidecar.user_shell import REFUSAL, Send, UserShell

log = logging.getLogger(__name__)

REVERT_SECONDS = 20.0
"""How long a message with mentions waits for an /undo under way."""


class Service:
    """The sidecar's methods.

    Args:
        connect: makes the Target once the shim has said which.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._peer: Peer | None = None
        self._state: dict[str, Any] = {"state": "connecting"}
        self._notices: set[asyncio.Task[None]] = set()
        self.user_shell = UserShell(self._run_user_command, self._report_user_commands)
        self._surroundings = Surroundings()
        self._turns = SessionTurns()
        self._memory = IdleMemory(lambda: not self._turns.calls)
        self.ending = asyncio.Event()
        """Set once the shim has asked for the end."""

    def methods(self) -> dict[str, Method]:
        """Every method by its name on the wire."""
        return {
            "initialize": self.initialize,
            "tool.call": self.call,
            "mentions.deliver": self.mentions,
            "session.reverted": self.reverted,
            "session.forget": self.forget,
            "skill.loaded": self.skill_loaded,
            "surroundings.prompt": self.surroundings_prompt,
            "surroundings.tool": self.surroundings_tool,
            "surroundings.command": self.surroundings_command,
            "surroundings.reminder": self.surroundings_reminder,
            "status": self.status,
            "shutdown": self.shutdown,
        }

    def attach(self, peer: Peer) -> None:
        """The peer that notifications and permission requests go to."""
        self._peer = peer

    async def initialize(self, params: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        """Take settings and secrets, and begin to connect; answers at once. `shell` names a folder to take commands in.

        Raises:
            InvalidParams: the versions differ, or the parameters are not of this method.
        """
        version = params.get("version")
        if version != __version__:
            raise InvalidParams(
                f"OpenCode's plugin is pybridge {version}, but this Python has pybridge {__version__}.\n"
                "Run `pybridge install` with the pybridge you want, then restart OpenCode.",
                data={"version": __version__},
            )
        if self._connection is not None:
            raise InvalidRequest("The sidecar is initialized already")
        env, secrets = _strings(params, "env"), _strings(params, "secrets")
        self._connection = Connection(lambda: self._connect(env, secrets, self._report_link), self._report)
        self._connection.start()
        if isinstance(shell := params.get("shell"), str):
            await self._take_user_commands(Path(shell))
        return {"version": __version__, "pid": os.getpid()}

    async def call(self, params: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        """Carry out one tool call, once connected.

        Raises:
            RemoteError: with the message the model reads.
        """
        if self._connection is None or self._peer is None:
            raise InvalidRequest("The first call must be initialize")
        tool, context = params.get("tool"), params.get("context", {})
        if not isinstance(tool, str) or not isinstance(context, dict):
            raise InvalidParams("tool must be a string and context an object")
        call = ToolCall(self._peer, incoming, context)
        async with self._turns.call(call.session_id, incoming.cancelled):
            return await self._carry_out(tool, params.get("args"), call, incoming)

    async def _carry_out(self, tool: str, args: object, call: ToolCall, incoming: Incoming) -> dict[str, Any]:
        assert self._connection is not None
        try:
            target = await self._connection.target(incoming.cancelled)
        except LASTING as error:
            raise RemoteFailure(f"{error}\nAfter that, restart OpenCode.", data={"code": error.code}) from error
        if target is None or incoming.cancelled.is_set():
            raise CancelledByUserError("The call was aborted before it began. Nothing was done on the remote.")
        try:
            return await target.call(tool, args, call)
        finally:
            await call.finish()
            self._memory.used()

    async def mentions(self, params: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        """The contents of a user's @file mentions; see `pybridge.sidecar.mentions.deliver`."""
        if self._connection is None:
            raise InvalidRequest("The first call must be initialize")
        # Not as the file was before the user took back what was done to it.
        await self._turns.reverts_ended(str(params.get("sessionID")), REVERT_SECONDS)
        return await mentions.deliver(params, self._connection, incoming)

    async def surroundings_prompt(self, params: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        """A system prompt, true for the remote; see `Surroundings.prompt`."""
        if self._connection is None:
            raise InvalidRequest("The first call must be initialize")
        return await self._surroundings.prompt(params, self._connection, incoming)

    async def surroundings_tool(self, params: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        """A tool's description, true for the remote; see `Surroundings.tool`."""
        if self._connection is None:
            raise InvalidRequest("The first call must be initialize")
        return await self._surroundings.tool(params, self._connection, incoming)

    async def surroundings_command(self, params: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        """The text of a command of OpenCode's, true for the remote; see `Surroundings.command`."""
        if self._connection is None:
            raise InvalidRequest("The first call must be initialize")
        return await self._surroundings.command(params, self._connection, incoming)

    async def surroundings_reminder(self, params: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        """A reminder of OpenCode's, true for the remote; see `Surroundings.reminder`."""
        if self._connection is None:
            raise InvalidRequest("The first call must be initialize")
        return await self._surroundings.reminder(params, self._connection, incoming)

    async def reverted(self, params: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        """The user took messages of an OpenCode session back, or brought them back; see `reverts.revert`."""
        if self._connection is None or self._peer is None:
            raise InvalidRequest("The first call must be initialize")
        from pybridge.sidecar import reverts  # not needed to begin, and loaded by the time one comes

        peer = self._peer
        ask = lambda: peer.request("session.conversation", {"request": incoming.id})  # noqa: E731
        return await reverts.revert(params, self._connection, self._turns, ask, incoming.cancelled)

    async def forget(self, params: dict[str, Any], incoming: Incoming) -> None:
        """An OpenCode session was deleted: what was remembered for it goes.

        Raises:
            InvalidParams: it is not named.
        """
        session_id = params.get("sessionID")
        if not isinstance(session_id, str):
            raise InvalidParams("sessionID must be a string")
        from pybridge.sidecar import reverts

        reverts.forget(session_id)
        target = self._connection.ready() if self._connection is not None else None
        if target is not None:
            target.forget(session_id)

    async def skill_loaded(self, params: dict[str, Any], incoming: Incoming) -> None:
        """OpenCode has told the model of a skill, whose files lie in a folder of this machine.

        Raises:
            InvalidParams: the folder is not named.
        """
        folder = params.get("folder")
        if not isinstance(folder, str):
            raise InvalidParams("folder must be a string")
        target = await self._connection.target(incoming.cancelled) if self._connection is not None else None
        if target is not None:
            target.add_skill(folder)

    async def status(self, params: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        """How things stand: state, host, workdir, error."""
        return self._state

    async def shutdown(self, params: dict[str, Any], incoming: Incoming) -> None:
        """End soon: calls under way are cancelled."""
        self.ending.set()

    async def close(self) -> None:
        """End every remote process and connection."""
        if self._connection is not None:
            await self._connection.close()

    async def _take_user_commands(self, folder: Path) -> None:
        try:
            await self.user_shell.listen(folder)
        except RemoteError as error:
            log.warning("commands of the user's own cannot be taken: %s", error)
            with contextlib.suppress(RemoteError):
                write_private(folder / REFUSAL, str(error).encode("utf-8", "replace"), durable=False)

    async def _run_user_command(self, text: str, folder: str, abort: asyncio.Event, send: Send) -> tuple[bytes, str]:
        assert self._connection is not None
        return await user_commands.run(self._connection, text, folder, abort, send)

    def _report_user_commands(self, busy: bool) -> None:
        self._send("shell.busy", {"busy": busy})

    def _report(self, state: str, target: Target | None, error: BaseException | None) -> None:
        self._state = {"state": state}
        if target is not None:
            self._state |= {"host": target.host, "workdir": target.workdir}
            self._memory.used()
        if error is not None:
            self._state["error"] = str(error)
        if state != "connecting":
            start.end()
        self._notify()

    def _report_link(self, state: str, error: BaseException | None) -> None:
        self._state = {k: v for k, v in self._state.items() if k != "error"} | {"state": state}
        if error is not None:
            self._state["error"] = str(error)
        self._notify()

    def _notify(self) -> None:
        self._send("status", dict(self._state))

    def _send(self, method: str, params: dict[str, Any]) -> None:
        if self._peer is None:
            return
        notice = asyncio.get_running_loop().create_task(self._peer.notify(method, params))
        self._notices.add(notice)
        notice.add_done_callback(self._notices.discard)


def _strings(params: Mapping[str, Any], name: str) -> dict[str, str]:
    value = params.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise InvalidParams(f"{name} must be an object of strings")
    return value
