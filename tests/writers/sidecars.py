"""Sidecars as OpenCode processes start them, several at once, with one home folder and so one mirror."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pybridge.demo.sidecar_client import CallError, SidecarClient

_NUMBERS = itertools.count(1)


class OpenCodeProcess(SidecarClient):
    """One sidecar; a tool call's outcome is its text, also when it failed."""

    @property
    def pid(self) -> int:
        """Of the sidecar."""
        assert self._process is not None
        return self._process.pid

    async def tool(self, tool: str, **arguments: Any) -> str:
        """The output of a call.

        Raises:
            CallError: it failed.
        """
        return (await self.call(tool, arguments, next(_NUMBERS)))["output"]

    async def edit(self, path: Path, old: str, new: str) -> str:
        """The outcome of an edit: its output, or `failed: ` and the error."""
        try:
            return await self.tool("edit", filePath=str(path), oldString=old, newString=new)
        except CallError as error:
            return f"failed: {error}"

    async def kill(self) -> None:
        """Kill it as `kill -9` does."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()


@contextlib.asynccontextmanager
async def opencode_processes(
    ssh_command: str, folder: Path, local: Path, number: int
) -> AsyncIterator[list[OpenCodeProcess]]:
    """So many sidecars that work on `folder`.

    Args:
        local: their common home folder.
    """
    settings = {"REMOTE_SSH": ssh_command, "REMOTE_WORKDIR": str(folder), "REMOTE_LOGIN": "0"}
    names = ("HOME", "USERPROFILE", "XDG_STATE_HOME", "XDG_DATA_HOME")
    environment = {**os.environ, **dict.fromkeys(names, str(local)), "PYBRIDGE_LOG": "warning"}
    async with contextlib.AsyncExitStack() as started:
        yield [await started.enter_async_context(OpenCodeProcess(settings, environment)) for _ in range(number)]
