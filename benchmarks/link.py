"""A link with a delay: the delay proxy in a process of its own, so that it shares no event loop with what is measured.

As a program: `python -m benchmarks.link PORT SECONDS` proxies to a port of this machine so that a round trip takes that
many seconds longer. It prints `{"port": N}`, and the counts after each line it reads; it ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from typing import Self

from pybridge.demo.delay_proxy import DelayProxy

_PINGS = 20


@dataclass(frozen=True)
class Counts:
    """What has gone over a link so far.

    Attributes:
        round_trips: the longest chain of requests that each waited for an answer (see `DelayProxy.round_trips`).
        to_server: bytes.
        to_client: bytes.
        connections: how many were opened.
    """

    round_trips: int = 0
    to_server: int = 0
    to_client: int = 0
    connections: int = 0

    def __sub__(self, other: Counts) -> Counts:
        return Counts(
            self.round_trips - other.round_trips,
            self.to_server - other.to_server,
            self.to_client - other.to_client,
            self.connections - other.connections,
        )


class LinkProcess:
    """Such a proxy. Use as an async context manager; `port` is where it listens.

    Args:
        port: of the server.
        round_trip: in seconds.
    """

    def __init__(self, port: int, round_trip: float) -> None:
        self._target = port
        self._round_trip = round_trip
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self.port = 0

    async def __aenter__(self) -> Self:
        words = [sys.executable, "-m", "benchmarks.link", str(self._target), str(self._round_trip)]
        self._process = await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=PIPE)
        assert self._process.stdout is not None
        self.port = json.loads(await self._process.stdout.readline())["port"]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def counts(self) -> Counts:
        """What has gone over it so far."""
        async with self._turn:
            assert self._process is not None and self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.write(b"\n")
            return Counts(**json.loads(await self._process.stdout.readline()))


async def delay_for(round_trip: float) -> float:
    """The delay each way that makes a byte's round trip take that long: the proxy needs some time itself.

    Args:
        round_trip: in seconds.
    """
    if not round_trip:
        return 0.0

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    taken = []
    async with server, DelayProxy(server.sockets[0].getsockname()[1], round_trip / 2) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        for _ in range(_PINGS):
            began = time.perf_counter()
            writer.write(b"x")
            await reader.readexactly(1)
            taken.append(time.perf_counter() - began)
        writer.close()
    return max(0.0, round_trip / 2 - max(0.0, statistics.median(taken) - round_trip) / 2)


async def _serve(port: int, round_trip: float) -> None:
    delay = await delay_for(round_trip)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with DelayProxy(port, delay) as proxy:
        print(json.dumps({"port": proxy.port}), flush=True)
        while await reader.readline():
            counts = Counts(proxy.round_trips, proxy.to_server.bytes, proxy.to_client.bytes, proxy.connections)
            print(json.dumps(vars(counts)), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
