"""An adapter without a remote: answers at once, so that the protocol itself can be tested."""

from __future__ import annotations

import asyncio

from benchmarks.adapters.protocol import Call, CallFailedError, Implementation, Start, UnsupportedError, serve


class Echo(Implementation):
    """Says what it is told; grep cannot be had, edit always fails, glob never ends."""

    async def init(self, start: Start) -> None:
        self._start = start

    async def tool(self, call: Call) -> str:
        match call.tool:
            case "grep":
                raise UnsupportedError("echoes find nothing")
            case "edit":
                raise CallFailedError("not to be changed")
            case "glob":
                await asyncio.Event().wait()
            case "write":
                return call.args["content"]
        return f"{call.session} {self._start.workdir} {self._start.environment} {call.args}"

    async def close(self) -> None:
        pass


if __name__ == "__main__":
    serve(Echo())
