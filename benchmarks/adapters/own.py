"""This project: the real sidecar process, driven by the real protocol as OpenCode's plugin drives it."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.adapters.protocol import Call, CallFailedError, Implementation, Start, serve
from pybridge.demo.sidecar_client import CallError, SidecarClient

_AT_ONCE = 50


class Own(Implementation):
    """One sidecar. What it keeps lies in HOME, which must be the adapter's alone: `reset` removes it."""

    counts_itself = False

    def __init__(self) -> None:
        self._client: SidecarClient | None = None
        self._start: Start | None = None
        self._numbers = itertools.count(1)

    async def init(self, start: Start) -> None:
        self._start = start
        settings = {"REMOTE_SSH": start.ssh, "REMOTE_WORKDIR": start.workdir, **start.environment}
        client = SidecarClient(settings, {k: v for k, v in os.environ.items() if not k.startswith("REMOTE_")})
        await client.__aenter__()
        self._client = client

    async def tool(self, call: Call) -> str:
        assert self._client is not None
        number = next(self._numbers)
        context = {"sessionID": f"ses_{call.session}", "messageID": f"msg_{number}", "callID": f"call_{number}"}
        context["agent"] = "build"
        asked = {"tool": call.tool, "args": dict(call.args), "context": context}
        try:
            return (await self._client.request("tool.call", asked))["output"]
        except CallError as error:
            raise CallFailedError(str(error)) from None

    async def reset(self) -> None:
        assert self._start is not None
        await self.close()
        shutil.rmtree(Path.home() / ".opencode", ignore_errors=True)
        await self.init(self._start)
        await self.tool(Call("bash", {"command": "true"}))

    async def track(self, paths: Sequence[str]) -> None:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(path: str) -> None:
            async with turns:
                await self.tool(Call("read", {"filePath": path}))

        await asyncio.gather(*(one(path) for path in paths))

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.__aexit__()


if __name__ == "__main__":
    serve(Own())
