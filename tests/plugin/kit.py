"""The plugin, loaded by node as OpenCode loads it, and programs that stand in for its sidecar."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.kit.counterparts import missing, need

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "plugin"
FAKE_SIDECAR = ROOT / "tests" / "sidecar" / "fake_sidecar.py"
TOOLS = ["apply_patch", "bash", "edit", "glob", "grep", "read", "write"]


def node() -> str:
    """The node to run the plugin with."""
    found = need("node", why="to run the plugin")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < 20:
        missing(f"{found} is {version.strip()}, the plugin needs node 20 or newer")
    return found


def program(folder: Path, script: str, name: str = "python-stub") -> Path:
    """An executable shell script, in the place of a Python interpreter."""
    path = folder / name
    path.write_text("#!/bin/sh\n" + script, encoding="utf-8")
    path.chmod(0o755)
    return path


def fake_python(folder: Path, before: str = "") -> Path:
    """An "interpreter" that runs the sidecar with a pretended remote, whatever it is asked to run."""
    return program(folder, f'{before}\nexec "{sys.executable}" "{FAKE_SIDECAR}"\n')


class Plugin:
    """A node process with the plugin in it. Use as a context manager.

    Args:
        python: PYBRIDGE_PYTHON.
        env: further variables.
        index: the plugin's entry.
    """

    def __init__(
        self, python: Path | None = None, env: Mapping[str, str] | None = None, index: Path = PLUGIN / "index.js"
    ) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("REMOTE_", "PYBRIDGE_"))}
        self._own = tempfile.TemporaryDirectory(prefix="plugin-")
        own = {"XDG_STATE_HOME": self._own.name, "XDG_RUNTIME_DIR": self._own.name}
        self._env = {**kept, **own, "REMOTE_SSH": "pretended.example", **(env or {})}
        if python is not None:
            self._env["PYBRIDGE_PYTHON"] = str(python)
        self._index = index
        self._ids = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            node(),
            str(Path(__file__).with_name("driver.mjs")),
            str(self._index),
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=64 * 1024 * 1024,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading
        self._own.cleanup()

    def begin(self, op: str, **arguments: Any) -> asyncio.Future[Any]:
        """Tell the driver to do something; the future holds what it answers."""
        number = next(self._ids)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "op": op, **arguments}).encode() + b"\n")
        return future

    async def do(self, op: str, **arguments: Any) -> Any:
        """`begin`, and wait."""
        return await self.begin(op, **arguments)

    async def load(
        self, name: str = "a", directory: Path | str = "/", *, with_client: bool = False, **options: Any
    ) -> Any:
        """Make an instance, as OpenCode does for each folder; `with_client`: it can ask what `opencode` was told."""
        return await self.do("load", name=name, directory=str(directory), options=options, withClient=with_client)

    def begin_call(
        self,
        command: str = "echo",
        *,
        name: str = "a",
        key: str = "k",
        tool: str = "bash",
        ask: str = "allow",
        **args: Any,
    ) -> asyncio.Future[Any]:
        """Begin a tool call; `command` is what the pretended remote does."""
        return self.begin("call", name=name, key=key, tool=tool, ask=ask, args={"command": command, **args})

    async def call(self, command: str = "echo", **rest: Any) -> Any:
        """A tool call, to its end."""
        return await self.begin_call(command, **rest)

    async def begin_running(self, command: str, **rest: Any) -> asyncio.Future[Any]:
        """`begin_call`, and wait until the sidecar has it: it answers a later call."""
        await self.call()
        running = self.begin_call(command, **rest)
        await self.call(key="later")
        return running

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            answer = json.loads(line)
            future = self._waiting.pop(answer["id"])
            if "error" in answer:
                future.set_exception(AssertionError(answer["error"]))
            else:
                future.set_result(answer["value"])
        for future in self._waiting.values():
            future.set_exception(AssertionError("the driver ended"))
