"""A small JSON-RPC 2.0 client of the sidecar: what the plugin does inside OpenCode, done from Python.

It starts `python -m pybridge.sidecar` as OpenCode's plugin would, speaks one JSON object per line over its standard
streams, and grants every permission the sidecar asks for.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pybridge import __version__
from pybridge.errors import RemoteError
from pybridge.settings import SECRET_NAMES

LINE_LIMIT = 64 * 1024 * 1024
"""Longest line accepted from the sidecar, in bytes."""

END_SECONDS = 10.0
"""How long the sidecar may take to end after it was asked to."""


class CallError(RemoteError):
    """The sidecar answered a request with an error; the message is what a model would read.

    Args:
        message: the error's message.
        number: the JSON-RPC error code.
    """

    code = "call"

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


class SidecarClient:
    """One sidecar process. Use as an async context manager.

    Args:
        settings: REMOTE_* and PYBRIDGE_* variables, secrets among them.
        environment: environment of the process itself (without the REMOTE_* ones: they go by message).
        shell: folder in which it is to take commands of the user's own, or None.
    """

    def __init__(
        self, settings: Mapping[str, str], environment: Mapping[str, str], *, shell: Path | None = None
    ) -> None:
        self._settings = settings
        self._shell = {} if shell is None else {"shell": str(shell)}
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._ids = itertools.count(1)
        self._stderr = bytearray()
        self.permissions: list[dict[str, Any]] = []
        """Every permission asked for, as asked."""
        self.notifications: list[dict[str, Any]] = []
        """Every notification received: `{method, params}`."""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "pybridge.sidecar",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
            env=self._environment,
        )
        self._reading = asyncio.create_task(self._read())
        self._listening = asyncio.create_task(self._listen())
        try:
            await self.request(
                "initialize",
                {
                    "version": __version__,
                    "env": {k: v for k, v in self._settings.items() if k not in SECRET_NAMES},
                    "secrets": {k: v for k, v in self._settings.items() if k in SECRET_NAMES},
                    **self._shell,
                },
            )
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        with contextlib.suppress(CallError, TimeoutError, OSError):
            await asyncio.wait_for(self.request("shutdown", {}), END_SECONDS)
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
        for task in (self._reading, self._listening):
            if task is not None:
                task.cancel()
        self._process = None

    async def call(self, tool: str, arguments: Mapping[str, Any], number: int) -> dict[str, Any]:
        """Run one tool.

        Args:
            tool: its name.
            arguments: its arguments.
            number: any number that is different for each call.

        Returns:
            `{title, output, metadata, attachments}`.

        Raises:
            CallError: the tool failed; the message is what a model would read.
        """
        context = {"sessionID": "ses_demo", "messageID": f"msg_{number}", "callID": f"call_{number}", "agent": "build"}
        return await self.request("tool.call", {"tool": tool, "args": dict(arguments), "context": context})

    async def request(self, method: str, params: Mapping[str, Any]) -> Any:
        """Send one request and wait for its answer.

        Raises:
            CallError: the answer is an error, or the sidecar ended first (with the end of what it printed).
        """
        number = next(self._ids)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        if self._reading is None or self._reading.done():
            self._waiting.pop(number)
            raise self._ended()
        try:
            await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": dict(params)})
        except OSError:
            self._waiting.pop(number, None)
            raise self._ended() from None
        return await future

    async def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        await self._process.stdin.drain()

    async def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        try:
            while line := await self._process.stdout.readline():
                await self._take(json.loads(line))
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(self._ended())
            self._waiting.clear()

    async def _take(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            future = self._waiting.pop(message.get("id", -1), None)
            if future is None or future.done():
                return
            if "error" in message:
                future.set_exception(CallError(message["error"]["message"], message["error"]["code"]))
            else:
                future.set_result(message.get("result"))
        elif "id" not in message:
            self.notifications.append(message)
        elif message["method"] == "permission.ask":
            self.permissions.append(message["params"])
            await self._send({"jsonrpc": "2.0", "id": message["id"], "result": {}})
        else:
            error = {"code": -32601, "message": f"unknown method {message['method']}"}
            await self._send({"jsonrpc": "2.0", "id": message["id"], "error": error})

    async def _listen(self) -> None:
        assert self._process is not None and self._process.stderr is not None
        while data := await self._process.stderr.read(65536):
            self._stderr += data
            del self._stderr[:-4096]

    def _ended(self) -> CallError:
        said = self._stderr.decode(errors="replace").strip()
        return CallError("The sidecar process ended." + (f" It printed:\n{said}" if said else ""), -32603)
