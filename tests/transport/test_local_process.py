"""The carrier over a local command keeps the same promises as the one over SSH."""

from __future__ import annotations

import asyncio

import pytest

from pybridge.errors import ConnectError
from pybridge.transport.local_process import LocalCarrier
from pybridge.transport.output_queue import UNREAD_LIMIT
from pybridge.transport.process import ExitStatus, Stream
from tests.kit.counterparts import need
from tests.kit.pools import finish, run, until


@pytest.fixture
async def carrier():
    found = LocalCarrier([need("sh"), "-c"])
    yield found
    await found.close()


async def test_streams_and_exit_code(carrier: LocalCarrier) -> None:
    output = await run(carrier, "echo out; echo err >&2; exit 7")
    assert (output.stdout, output.stderr, output.status) == (b"out\n", b"err\n", ExitStatus(code=7))


async def test_signal(carrier: LocalCarrier) -> None:
    assert (await run(carrier, "kill -TERM $$")).status == ExitStatus(signal="TERM")


async def test_every_byte_passes_both_ways(carrier: LocalCarrier) -> None:
    data = bytes(range(256)) * 4000
    process = await carrier.start("cat", stdin=data[:1000])

    async def feed() -> None:
        await process.write(data[1000:])
        process.write_eof()

    output, _ = await asyncio.gather(finish(process), feed())
    assert output.stdout == data


async def test_exit_is_known_while_a_child_holds_the_streams(carrier: LocalCarrier) -> None:
    process = await carrier.start("sleep 60 & echo $!; exit 4")
    piece = await process.read()
    assert piece is not None
    assert await process.wait_exit() == process.exit_status == ExitStatus(code=4)
    reading = asyncio.ensure_future(process.read())
    await asyncio.sleep(0.1)
    assert not reading.done()
    await run(carrier, f"kill {int(piece[1])}")
    assert await reading is None


async def test_unread_output_makes_the_sender_wait(carrier: LocalCarrier, tmp_path) -> None:
    mark = tmp_path / "mark"
    process = await carrier.start(f"head -c {UNREAD_LIMIT * 8} /dev/zero; : > '{mark}'")
    await asyncio.sleep(0.5)
    assert not mark.exists()
    assert len((await finish(process)).stdout) == UNREAD_LIMIT * 8
    assert mark.exists()


async def test_close_kills(carrier: LocalCarrier) -> None:
    process = await carrier.start("exec sleep 60")
    process.close()
    assert await process.wait_exit() == ExitStatus(signal="KILL")
    assert await process.read() is None


async def test_closing_the_carrier_kills_what_runs(carrier: LocalCarrier) -> None:
    process = await carrier.start("echo up; exec sleep 60")
    assert await process.read() == (Stream.STDOUT, b"up\n")
    await carrier.close()
    assert await until(lambda: process.exit_status is not None)


async def test_input_for_a_process_that_has_ended_is_dropped(carrier: LocalCarrier) -> None:
    process = await carrier.start("exit 0")
    await process.wait_exit()
    assert await process.read() is None
    await process.write(b"x" * 1_000_000)
    process.write_eof()


async def test_missing_program() -> None:
    with pytest.raises(ConnectError, match="no-such-program"):
        await LocalCarrier(["no-such-program-here"]).start("true")
