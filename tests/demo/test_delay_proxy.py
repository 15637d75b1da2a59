"""The delay proxy, with two real sockets around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pybridge.demo.delay_proxy import DelayProxy


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that sends back what it gets; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_bytes_arrive_whole_and_in_order() -> None:
    sent = bytes(range(256)) * 8192
    async with echo() as port, DelayProxy(port, 0.01) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(sent)
        writer.write_eof()
        assert await reader.read() == sent
        assert proxy.connections == 1
        assert proxy.to_server.bytes == proxy.to_client.bytes == len(sent)
        writer.close()


async def test_each_direction_waits_for_the_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await real(0)

    async with echo() as port, DelayProxy(port, 1000.0) as proxy:
        monkeypatch.setattr("pybridge.demo.delay_proxy.asyncio.sleep", sleep)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        writer.close()
    assert len(waits) >= 2
    assert all(900 < seconds <= 1000 for seconds in waits[:2])


async def test_cut_ends_every_connection() -> None:
    async with echo() as port, DelayProxy(port, 0.0) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        proxy.cut()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(1)
        writer.close()


async def test_a_stalled_link_holds_everything_back_until_it_resumes() -> None:
    async with echo() as port, DelayProxy(port, 0.0) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        proxy.stall()
        writer.write(b"pong")
        while proxy.to_server.bytes < 8:
            await asyncio.sleep(0.01)
        answer = asyncio.create_task(reader.readexactly(4))
        await asyncio.wait({answer}, timeout=0.1)
        assert not answer.done()
        proxy.resume()
        assert await answer == b"pong"
        writer.close()


async def test_a_round_trip_is_counted_for_every_answer_that_was_waited_for() -> None:
    async with echo() as port, DelayProxy(port, 0.0) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        for number in range(1, 4):
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
            assert proxy.round_trips == number
        writer.close()


async def test_what_is_sent_at_once_is_one_round_trip_on_one_connection_or_many() -> None:
    async with echo() as port, DelayProxy(port, 0.2) as proxy:
        first, second = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(2)]
        first[1].write(b"ping")
        await first[0].readexactly(4)
        before = proxy.round_trips
        for _, writer in (first, second):
            for _ in range(5):
                writer.write(b"ping")
                await asyncio.sleep(0.001)
        await asyncio.gather(*(reader.readexactly(20) for reader, _ in (first, second)))
        assert proxy.round_trips - before == 1
        second[1].write(b"ping")
        await second[0].readexactly(4)
        assert proxy.round_trips - before == 2
        for _, writer in (first, second):
            writer.close()


async def test_what_a_server_says_unasked_is_no_round_trip() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server, DelayProxy(server.sockets[0].getsockname()[1], 0.0) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await reader.read() == b"hello"
        assert proxy.round_trips == 0
        writer.close()
