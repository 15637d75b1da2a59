"""A link with a delay: the delay proxy in a process of its own, so that it shares no event loop with what is measured.

As a program: `python -m benchmarks.link PORT SECONDS` proxies to a port of this machine so that a round trip takes that
many seconds longer. It prints `{"port": N}`, and the counts after each line it reads; it ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import selectors
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from typing import Self

from pybridge.demo.delay_proxy import DelayProxy

_ECHO = (sys.executable, "-m", "benchmarks.echo")
_PINGS = 15
_ROUNDS = 2


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
    """The delay each way with which a round trip between two processes takes that much longer than without the proxy.

    The proxy needs some time itself, and more when it has been asleep: it is measured between a program that asks and
    one that answers, neither of which shares a loop with it.

    Args:
        round_trip: in seconds.
    """
    if not round_trip:
        return 0.0
    server = await asyncio.create_subprocess_exec(*_ECHO, "serve", stdin=PIPE, stdout=PIPE)
    assert server.stdin is not None and server.stdout is not None
    try:
        port = int(await server.stdout.readline())
        direct = await _asked(port)
        delay = round_trip / 2
        for _ in range(_ROUNDS):
            async with DelayProxy(port, delay) as proxy:
                own = await _asked(proxy.port) - direct - 2 * delay
            delay = min(max(0.0, (round_trip - own) / 2), round_trip / 2)  # the proxy makes nothing faster
        return delay
    finally:
        server.stdin.close()
        await server.wait()


async def _asked(port: int) -> float:
    asking = await asyncio.create_subprocess_exec(*_ECHO, "ask", str(port), str(_PINGS), stdout=PIPE)
    answer, _ = await asking.communicate()
    return float(answer)


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
    # What waits in `epoll` waits for whole milliseconds; `select` is exact.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
