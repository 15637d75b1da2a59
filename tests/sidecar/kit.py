"""The sidecar as a real process, spoken to in bytes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pybridge import __version__

FAKE = [str(Path(__file__).with_name("fake_sidecar.py"))]
REAL = ["-m", "pybridge.sidecar"]


class Sidecar:
    """One sidecar process. Use as a context manager; its log is in `stderr` afterwards.

    Args:
        program: what Python runs: FAKE (a pretended remote) or REAL.
        env: further variables of the process.
    """

    def __init__(self, program: list[str] = FAKE, env: Mapping[str, str] | None = None) -> None:
        self._program = program
        self._env = {**os.environ, **(env or {})}
        self._number = 0
        self.stderr = b""

    async def __aenter__(self) -> Self:
        pipe = subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, *self._program, env=self._env, stdin=pipe, stdout=pipe, stderr=pipe, limit=128 * 1024 * 1024
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    async def end(self) -> int:
        """End its input, wait for it; the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return await self.ended()

    async def ended(self) -> int:
        """Wait for it; the exit code. It is killed if it does not go."""
        assert self.process.stderr is not None
        try:
            self.stderr += await asyncio.wait_for(self.process.stderr.read(), 20)
            return await asyncio.wait_for(self.process.wait(), 20)
        except TimeoutError:
            self.process.kill()
            raise AssertionError("the sidecar did not end") from None

    async def send(self, data: bytes) -> None:
        """Raw bytes."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        await self.process.stdin.drain()

    async def receive(self) -> Any:
        """The next message."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        assert line.endswith(b"\n"), (line, "the sidecar's output ended")
        return json.loads(line)

    async def begin(self, method: str, params: Mapping[str, Any] | None = None) -> int:
        """Send a request; its id."""
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params or {}}
        await self.send(json.dumps(message).encode() + b"\n")
        return self._number

    async def answer(self, number: int | str | None) -> dict[str, Any]:
        """The answer to a request. Messages before it, but for notifications, are a failure."""
        while True:
            message = await self.receive()
            if isinstance(message, dict) and "method" in message and "id" not in message:
                continue
            assert message["id"] == number, message
            return message

    async def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A request and its answer."""
        return await self.answer(await self.begin(method, params))

    async def initialize(self, env: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None) -> Any:
        """The handshake."""
        params = {"version": __version__, "env": {"REMOTE_SSH": "x", **(env or {})}, "secrets": secrets or {}}
        return await self.ask("initialize", params)

    async def begin_call(self, command: str = "echo", tool: str = "bash", **args: Any) -> int:
        """Begin a tool call; `command` is what the pretended remote does."""
        context = {"sessionID": "s", "messageID": "m", "callID": "c", "agent": "a"}
        return await self.begin("tool.call", {"tool": tool, "args": {"command": command, **args}, "context": context})

    async def call(self, command: str = "echo", **args: Any) -> dict[str, Any]:
        """A tool call and its answer."""
        return await self.answer(await self.begin_call(command, **args))

    async def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification."""
        await self.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode() + b"\n")
