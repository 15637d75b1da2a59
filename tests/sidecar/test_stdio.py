"""The two streams of the protocol: whole lines in, everything out in its order, on whatever they are."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pybridge.sidecar.stdio import LineReader, TooLong, Writer

LINES = [b"%d" % number + b"x" * (number * 37 % 5000) for number in range(400)]


def pipe(_: Path) -> tuple[int, int]:
    return os.pipe()


def sockets(_: Path) -> tuple[int, int]:
    one, other = socket.socketpair()
    return one.detach(), other.detach()


def file(folder: Path) -> tuple[int, int]:
    path = folder / "file"
    path.touch()
    return os.open(path, os.O_RDONLY), os.open(path, os.O_WRONLY)


def write_all(descriptor: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("kind", [pipe, sockets, file])
async def test_each_line_comes_whole(tmp_path: Path, kind: Callable[[Path], tuple[int, int]]) -> None:
    there, here = kind(tmp_path)
    sender = threading.Thread(target=write_all, args=(here, b"\n".join(LINES)))
    sender.start()
    if kind is file:
        sender.join()
    got: list[bytes | TooLong] = []
    async with asyncio.timeout(20):
        async for line in LineReader(there, limit=1_000_000).lines():
            got.append(line)
            if len(got) % 50 == 0:
                await asyncio.sleep(0.01)  # whoever reads is slower than whoever sends
    sender.join()
    os.close(there)
    assert got == LINES


@pytest.mark.parametrize("kind", [pipe, sockets, file])
async def test_small_and_large_pieces_go_out_in_their_order(
    tmp_path: Path, kind: Callable[[Path], tuple[int, int]]
) -> None:
    there, here = kind(tmp_path)
    received: list[bytes] = []

    def read_all() -> None:
        while data := os.read(there, 10_000):
            received.append(data)

    pieces = [bytes([65 + number % 26]) * (number * 7919 % 20_000) for number in range(300)] + [b"x" * 500_000, b"end"]
    writer = Writer(here)
    reader = threading.Thread(target=read_all)
    if kind is not file:
        reader.start()
    async with asyncio.timeout(20):
        for number, piece in enumerate(pieces):
            await writer.write(piece)
            if number % 20 == 0:
                await asyncio.sleep(0.001)
        await writer.flush()
    os.close(here)
    if kind is file:
        reader.start()
    reader.join()
    os.close(there)
    assert b"".join(received) == b"".join(pieces)


async def test_a_reader_that_takes_nothing_stops_nobody_else(tmp_path: Path) -> None:
    there, here = os.pipe()
    writer = Writer(here)
    async with asyncio.timeout(20):
        for _ in range(100):
            await writer.write(b"y" * 4000)  # far more than a pipe holds
    received = bytearray()
    flushing = asyncio.create_task(writer.flush())
    while len(received) < 400_000:
        received += await asyncio.to_thread(os.read, there, 65536)
    await flushing
    assert bytes(received) == b"y" * 400_000
    os.close(there)
    os.close(here)


async def test_nothing_is_said_to_a_reader_that_is_gone() -> None:
    there, here = os.pipe()
    writer = Writer(here)
    os.close(there)
    async with asyncio.timeout(20):
        for size in (10, 100_000, 10):
            await writer.write(b"z" * size)
        await writer.flush()
    assert writer.closed
    os.close(here)
