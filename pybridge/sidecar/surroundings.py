"""What OpenCode is about to tell the model, corrected for the remote, within a deadline: every prompt waits for it."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pybridge.errors import RemoteError
from pybridge.sidecar.connection import Connection
from pybridge.sidecar.descriptions import DESCRIPTIONS
from pybridge.sidecar.jsonrpc import InvalidParams
from pybridge.sidecar.peer import Incoming
from pybridge.sidecar.target import Target

if TYPE_CHECKING:
    from pybridge.tools.surroundings.prompt import Prompt

log = logging.getLogger(__name__)

CONNECT_SECONDS = 8.0
"""How long a prompt waits for the first connection."""

IMPATIENT_SECONDS = 0.5
"""How long once that has been waited for in vain."""

ANSWER_SECONDS = 5.0
"""How long a prompt waits for a connected remote to answer."""


class Surroundings:
    """The shim's methods that correct texts of OpenCode's. None fails for the remote's sake."""

    def __init__(self) -> None:
        self._patience = CONNECT_SECONDS
        self._unknown_reported = False

    async def prompt(self, params: Mapping[str, Any], connection: Connection, incoming: Incoming) -> dict[str, Any]:
        """A system prompt with the remote's surroundings in it.

        Args:
            params: `system`, the prompt; `directory` and `worktree` of the OpenCode instance; `instructions` of its
                configuration.

        Returns:
            `{"system": TEXT}`; null where the prompt stays as it is.

        Raises:
            InvalidParams: the parameters are not of this method.
        """
        text, directory, worktree = (_text(params, name) for name in ("system", "directory", "worktree"))
        entries = params.get("instructions") or []
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            raise InvalidParams("instructions must be an array of strings")
        prompts, projects = await _load("prompt"), await _load("local_project")
        local = projects.LocalProject.of(directory, worktree, entries)
        prompt = prompts.Prompt.parse(text, local)
        if prompt is None:
            if not self._unknown_reported and prompts.states_local_facts(text, local):
                self._unknown_reported = True
                log.warning("a system prompt of an unknown shape is left as it is: it may tell of the local folder")
            return {"system": None}
        target = await self._target(connection, incoming)
        if target is None:
            return {"system": prompt.without_remote("a remote host")}
        return {"system": await self._rewritten(prompt, target)}

    async def tool(self, params: Mapping[str, Any], connection: Connection, incoming: Incoming) -> dict[str, Any]:
        """A tool's description, true for the remote.

        Args:
            params: `tool`, its name; `description`, the built-in tool's, or null where OpenCode showed none;
                `directory` of the OpenCode instance.

        Returns:
            `{"description": TEXT}`.

        Raises:
            InvalidParams: the parameters are not of this method.
        """
        tool, directory = _text(params, "tool"), _text(params, "directory")
        own = DESCRIPTIONS.get(tool)
        if own is None:
            raise InvalidParams(f"there is no tool {tool!r}")
        shown = own if params.get("description") is None else _text(params, "description")
        descriptions = await _load("descriptions")
        target = await self._target(connection, incoming)
        where = descriptions.NOWHERE if target is None else target.where
        return {"description": descriptions.corrected(tool, shown, directory, where, own=own)}

    async def command(self, params: Mapping[str, Any], connection: Connection, incoming: Incoming) -> dict[str, Any]:
        """The text of OpenCode's command /init, true for the remote.

        Args:
            params: `text`; `worktree` of the OpenCode instance.

        Returns:
            `{"text": TEXT}`.

        Raises:
            InvalidParams: the parameters are not of this method.
        """
        text, worktree = _text(params, "text"), _text(params, "worktree")
        descriptions = await _load("descriptions")
        target = await self._target(connection, incoming)
        return {"text": descriptions.guided(text, worktree, descriptions.NOWHERE if target is None else target.where)}

    async def reminder(self, params: Mapping[str, Any], connection: Connection, incoming: Incoming) -> dict[str, Any]:
        """A reminder of OpenCode's plan mode, true for the remote.

        Args:
            params: `text`.

        Returns:
            `{"text": TEXT}`; the same one while the remote cannot be reached.

        Raises:
            InvalidParams: the parameters are not of this method.
        """
        text = _text(params, "text")
        descriptions = await _load("descriptions")
        target = await self._target(connection, incoming)
        return {"text": text if target is None else descriptions.planned(text, target.where)}

    async def _rewritten(self, prompt: Prompt, target: Target) -> str:
        remote = await _load("remote")
        local = prompt.local
        wanted = remote.Wanted(
            names=tuple(local.names) if local.enabled else (),
            entries=tuple(local.relative_entries),
            references=tuple(prompt.reference_folders),
        )
        try:
            return prompt.rewritten(await target.surroundings(wanted, ANSWER_SECONDS))
        except (RemoteError, TimeoutError) as error:
            log.warning("the model is told that the remote does not answer: %r", error)
            return prompt.without_remote(target.host)

    async def _target(self, connection: Connection, incoming: Incoming) -> Target | None:
        """The connected remote; None when it is not there in time. All prompts together wait long only once."""
        try:
            target = await asyncio.wait_for(connection.target(incoming.cancelled), self._patience)
        except (RemoteError, TimeoutError):
            self._patience = IMPATIENT_SECONDS
            return None
        self._patience = CONNECT_SECONDS
        return target


async def _load(name: str) -> Any:
    """A module that the handshake with OpenCode does not wait for."""
    return await asyncio.to_thread(importlib.import_module, f"pybridge.tools.surroundings.{name}")


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str):
        raise InvalidParams(f"{name} must be a string")
    return value
