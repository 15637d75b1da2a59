"""The adapter protocol: how the benchmarks drive one implementation of the seven tools.

An adapter is a program that reads one JSON object per line on its standard input and answers each, in order, with one
line on its standard output. benchmarks/README.md describes the requests. In Python an adapter is an `Implementation`
and a call of `serve`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.memory import TreeMemory

LINE_LIMIT = 1 << 30
"""Longest line read, in bytes."""


class UnsupportedError(Exception):
    """The implementation cannot do this at all; the message says why."""


class CallFailedError(Exception):
    """The implementation can do this in general, and failed."""


@dataclass(frozen=True)
class Call:
    """One call of a tool.

    Attributes:
        tool: bash, read, edit, write, apply_patch, glob or grep.
        args: as OpenCode's model sends them; paths relative to the working folder, or absolute.
        session: which of several agents calls.
    """

    tool: str
    args: Mapping[str, Any]
    session: str = "one"


@dataclass(frozen=True)
class Start:
    """Where to work.

    Attributes:
        ssh: the command line that reaches the host: `ssh OPTIONS USER@HOST`.
        workdir: the folder to work in, absolute.
        environment: settings of the implementation.
    """

    ssh: str
    workdir: str
    environment: Mapping[str, str] = field(default_factory=dict)


class Implementation(ABC):
    """What is measured.

    Attributes:
        counts_itself: whether the adapter's own process does the implementation's work, so that its memory counts
            (less what it took before `init`); else only its children count.
    """

    counts_itself = True

    @abstractmethod
    async def init(self, start: Start) -> None:
        """Connect, and be ready for the first call. Raises `UnsupportedError` where that cannot be done here."""

    @abstractmethod
    async def tool(self, call: Call) -> str:
        """Do one call; several may be under way.

        Returns:
            what the model would see.

        Raises:
            UnsupportedError: this tool cannot be had this way.
            CallFailedError: it failed.
        """

    async def reset(self) -> None:  # noqa: B027 (one that keeps nothing has nothing to forget)
        """Forget everything known of files; the connection may be a new one afterwards, and is open."""

    async def track(self, paths: Sequence[str]) -> None:  # noqa: B027
        """Read these files, so that they are known. One that keeps nothing of files has nothing to do."""

    @abstractmethod
    async def close(self) -> None:
        """End, and leave nothing behind, locally or on the remote."""


def expanded(value: Any) -> Any:
    """Arguments with every `{"$repeat": TEXT, "$bytes": N}` replaced by TEXT over and over, cut to N characters."""
    if isinstance(value, dict):
        if value.keys() == {"$repeat", "$bytes"}:
            text, length = value["$repeat"], value["$bytes"]
            return (text * (length // len(text) + 1))[:length]
        return {name: expanded(item) for name, item in value.items()}
    return value


class _Server:
    """Answers the requests for one implementation."""

    def __init__(self, implementation: Implementation) -> None:
        self._implementation = implementation
        self._memory = TreeMemory(itself=implementation.counts_itself)

    async def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request, without its id."""
        try:
            async with asyncio.timeout(request.get("limit")):
                return await self._do(request)
        except TimeoutError:
            return {"timeout": request.get("limit")}
        except UnsupportedError as error:
            return {"unsupported": str(error)}
        except Exception as error:  # whatever an implementation raises is its failure, not the adapter's end
            return {"error": str(error) or type(error).__name__}

    async def _do(self, request: Mapping[str, Any]) -> dict[str, Any]:
        implementation = self._implementation
        match request["op"]:
            case "init":
                start = Start(request["ssh"], request["workdir"], request.get("environment", {}))
                return await _timed(implementation.init(start))
            case "tool":
                return await self._call(request, request.get("keep", 200))
            case "many":
                return await self._many(request["calls"], request.get("keep", 0))
            case "reset":
                return await _timed(implementation.reset())
            case "track":
                return await _timed(implementation.track(request["paths"]))
            case "rss":
                return {"bytes": self._memory.take(go_on=request.get("watch", False))}
            case "close":
                self._memory.take(go_on=False)
                return await _timed(implementation.close())
            case other:
                raise UnsupportedError(f"no such operation: {other}")

    async def _call(self, asked: Mapping[str, Any], keep: int) -> dict[str, Any]:
        call = Call(asked["tool"], expanded(asked["args"]), asked.get("session", "one"))
        started = time.perf_counter()
        output = await self._implementation.tool(call)
        return {"seconds": time.perf_counter() - started, "bytes": len(output.encode()), "output": output[:keep]}

    async def _many(self, calls: Sequence[Mapping[str, Any]], keep: int) -> dict[str, Any]:
        async def one(asked: Mapping[str, Any]) -> dict[str, Any]:
            try:
                return await self._call(asked, keep)
            except UnsupportedError:
                raise
            except Exception as error:
                return {"error": str(error) or type(error).__name__, "seconds": time.perf_counter() - started}

        started = time.perf_counter()
        each = await asyncio.gather(*(one(asked) for asked in calls))
        return {"seconds": time.perf_counter() - started, "each": each}


async def _timed(doing: Awaitable[None]) -> dict[str, Any]:
    started = time.perf_counter()
    await doing
    return {"seconds": time.perf_counter() - started}


async def _serve(implementation: Implementation) -> None:
    server = _Server(implementation)
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while line := await reader.readline():
            request = json.loads(line)
            answer = await server.answer(request)
            print(json.dumps({"id": request.get("id"), **answer}), flush=True)
            if request["op"] == "close":
                return
    finally:
        with contextlib.suppress(Exception):
            await implementation.close()


def serve(implementation: Implementation) -> None:
    """Answer requests on standard input until `close` or its end. Standard output belongs to the protocol."""
    asyncio.run(_serve(implementation))
