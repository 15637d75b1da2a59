"""What the shim's side of the pipe may send: whatever it is, the reader goes on and the next good call is served."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import strategies as st

from pybridge.sidecar import jsonrpc, peer, stdio
from pybridge.sidecar.peer import Incoming, Peer
from pybridge.sidecar.stdio import LineReader, TooLong, Writer
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.spoiling import cuts, pieces, spoiled

pytestmark = pytest.mark.unit

LIMIT = 64 * 1024

MESSAGES = (
    b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"a":[1,2.5,"x\\ud800",null,true]}}',
    b'{"jsonrpc":"2.0","id":"one","method":"fail","params":{}}',
    b'{"jsonrpc":"2.0","id":1,"method":"wait"}',
    b'{"jsonrpc":"2.0","id":2,"method":"nothing"}',
    b'{"jsonrpc":"2.0","method":"$/cancel","params":{"id":1}}',
    b'{"jsonrpc":"2.0","method":"$/cancel","params":{"id":[true]}}',
    b'{"jsonrpc":"2.0","method":"other"}',
    b'{"jsonrpc":"2.0","id":77,"result":{"a":1}}',
    b'{"jsonrpc":"2.0","id":1,"error":{"code":-3,"message":"no","data":{}}}',
    b'{"jsonrpc":"2.0","id":1,"error":{"code":1e999}}',
    b'[{"jsonrpc":"2.0","id":3,"method":"echo"},{"jsonrpc":"2.0","method":"x"},7,[]]',
    b"[]",
    b"   ",
)

MARK = {"jsonrpc": "2.0", "id": "the last one", "method": "echo", "params": {"still": "there"}}


def test_a_line_is_read_or_answered(request: pytest.FixtureRequest) -> None:
    def check(line: bytes) -> None:
        found = jsonrpc.parse(line)
        for message in found if isinstance(found, list) else [found]:
            assert isinstance(message, jsonrpc.Request | jsonrpc.Notification | jsonrpc.Response | jsonrpc.Malformed)
            if isinstance(message, jsonrpc.Malformed):
                json.loads(jsonrpc.encode(jsonrpc.failure(message.id, message.error)))

    fuzz(request, "JSON-RPC: one message", spoiled(*MESSAGES), check, 1200)


def test_after_anything_the_next_call_is_served(request: pytest.FixtureRequest) -> None:
    lines = st.lists(st.one_of(spoiled(*MESSAGES), st.sampled_from(MESSAGES)), max_size=5).map(b"\n".join)

    def check(value: tuple[bytes, list[int]]) -> None:
        sent, places = value
        answers = asyncio.run(_served(pieces(sent + b"\n" + json.dumps(MARK).encode() + b"\n", places)))
        last = [answer for answer in answers if isinstance(answer, dict) and answer.get("id") == MARK["id"]]
        assert last == [{"jsonrpc": "2.0", "id": MARK["id"], "result": MARK["params"]}]

    fuzz(request, "JSON-RPC: a stream of messages", st.tuples(lines, cuts()), check, 250)


def test_lines_do_not_depend_on_how_they_arrive(request: pytest.FixtureRequest) -> None:
    streams = spoiled(b"one\ntwo\r\n\n" + b"x" * 100 + b"\nlast", b"a\n" * 40, b"\xff\n\0\n" * 9)

    def check(value: tuple[bytes, list[int]]) -> None:
        sent, places = value
        expected = [line if len(line) <= 90 else TooLong(len(line)) for line in sent.split(b"\n")]
        if expected[-1] == b"":
            expected.pop()
        assert asyncio.run(_lines(pieces(sent, places), limit=90)) == expected

    fuzz(request, "lines of the pipe, cut anywhere", st.tuples(streams, cuts()), check, 250)


@pytest.mark.parametrize("value", [True, 1.0, [1], {"id": 1}, None])
async def test_only_a_requests_own_id_cancels_it(value: object) -> None:
    answers = await _served(
        [
            b'{"jsonrpc":"2.0","id":1,"method":"cancelled"}\n',
            json.dumps({"jsonrpc": "2.0", "method": "$/cancel", "params": {"id": value}}).encode() + b"\n",
        ],
        cancel=False,
    )
    assert answers == [{"jsonrpc": "2.0", "id": 1, "result": False}]


async def test_a_batch_of_a_million_is_refused_as_a_whole() -> None:
    (answer, last) = await _served(
        [b"[" + b"1," * 1_000_000 + b"1]\n", json.dumps(MARK).encode() + b"\n"], limit=1 << 22
    )
    assert answer["error"]["code"] == jsonrpc.InvalidRequest.code
    assert last["id"] == MARK["id"]


async def _echo(params: dict[str, Any], incoming: Incoming) -> Any:
    return params


async def _fail(params: dict[str, Any], incoming: Incoming) -> Any:
    raise RuntimeError("on purpose")


async def _wait(params: dict[str, Any], incoming: Incoming) -> Any:
    await incoming.cancelled.wait()


async def _cancelled(params: dict[str, Any], incoming: Incoming) -> Any:
    await asyncio.sleep(0.05)
    return incoming.cancelled.is_set()


METHODS: dict[str, peer.Method] = {"echo": _echo, "fail": _fail, "wait": _wait, "cancelled": _cancelled}


async def _served(sent: list[bytes], *, limit: int = LIMIT, cancel: bool = True) -> list[Any]:
    """Every answer of a peer to what arrives in these pieces."""
    there, here = os.pipe()
    back, out = os.pipe()
    writer = Writer(out)
    served = Peer(LineReader(there, limit=limit), writer, METHODS)
    collected: list[bytes] = []
    reading = threading.Thread(target=_drain, args=(back, collected))
    reading.start()
    threading.Thread(target=_fill, args=(here, sent), daemon=True).start()
    try:
        async with asyncio.timeout(20):
            await served.run()
        if cancel:
            served.cancel_all()
        await served.finish(5)
    finally:
        os.close(out)
        reading.join()
        os.close(there)
        os.close(back)
    answers = [json.loads(line) for line in b"".join(collected).split(b"\n") if line]
    return [one for answer in answers for one in (answer if isinstance(answer, list) else [answer])]


class _InPieces(LineReader):
    """A reader whose pieces arrive exactly so; a pipe would join some."""

    def __init__(self, sent: list[bytes], *, limit: int) -> None:
        super().__init__(-1, limit=limit)
        self._sent = sent

    async def _chunks(self) -> AsyncIterator[bytes]:
        for piece in filter(None, self._sent):
            yield piece


async def _lines(sent: list[bytes], *, limit: int) -> list[bytes | TooLong]:
    return [line async for line in _InPieces(sent, limit=limit).lines()]


def _fill(descriptor: int, sent: list[bytes]) -> None:
    try:
        for piece in sent:
            if piece:
                os.write(descriptor, piece)
    finally:
        os.close(descriptor)


def _drain(descriptor: int, collected: list[bytes]) -> None:
    while data := os.read(descriptor, 65536):
        collected.append(data)


async def test_a_line_without_end_costs_no_more_than_its_limit() -> None:
    sizes: list[int] = []
    there, here = os.pipe()
    reader = LineReader(there, limit=1000)
    threading.Thread(target=_fill, args=(here, [b"x" * 65536] * 64 + [b"\nnext\n"]), daemon=True).start()
    async for line in reader.lines():
        sizes.append(line.size if isinstance(line, TooLong) else len(line))
    os.close(there)
    assert sizes == [64 * 65536, 4]
    assert stdio.MAX_LINE_BYTES <= 64 * 1024 * 1024
