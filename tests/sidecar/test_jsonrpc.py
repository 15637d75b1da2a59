"""Reading JSON-RPC 2.0 messages."""

from __future__ import annotations

import json

import pytest

from pybridge.errors import PermissionRejectedError, ToolError
from pybridge.sidecar import jsonrpc
from pybridge.sidecar.jsonrpc import Malformed, Notification, Request, Response, as_rpc_error, parse

pytestmark = pytest.mark.unit


def test_a_request() -> None:
    assert parse(b'{"jsonrpc":"2.0","id":"x","method":"m","params":{"a":1}}') == Request("x", "m", {"a": 1})


def test_parameters_may_be_left_out() -> None:
    assert parse(b'{"jsonrpc":"2.0","id":0,"method":"m"}') == Request(0, "m", {})


def test_a_notification() -> None:
    assert parse(b'{"jsonrpc":"2.0","method":"m"}') == Notification("m", {})


def test_a_result_may_be_null() -> None:
    assert parse(b'{"jsonrpc":"2.0","id":1,"result":null}') == Response(1, None)


def test_an_error() -> None:
    message = parse(b'{"jsonrpc":"2.0","id":1,"error":{"code":-5,"message":"no","data":[1]}}')
    assert isinstance(message, Response)
    assert message.error is not None
    assert message.error.to_json() == {"code": -5, "message": "no", "data": [1]}


@pytest.mark.parametrize(
    ("line", "code", "identity"),
    [
        (b"", -32700, None),
        (b"not json", -32700, None),
        (b'{"jsonrpc":"2.0","id":1', -32700, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', -32700, None),
        (b"[" * 100_000, -32700, None),
        (b"5", -32600, None),
        (b"[]", -32600, None),
        (b"{}", -32600, None),
        (b'{"jsonrpc":"1.0","id":4,"method":"m"}', -32600, 4),
        (b'{"jsonrpc":"2.0","id":4,"method":7}', -32600, 4),
        (b'{"jsonrpc":"2.0","id":[4],"method":"m"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":null,"method":"m"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":true,"method":"m"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":4,"method":"m","params":[1]}', -32602, 4),
        (b'{"jsonrpc":"2.0","id":4}', -32600, 4),
    ],
)
def test_what_is_no_message(line: bytes, code: int, identity: object) -> None:
    message = parse(line)
    assert isinstance(message, Malformed)
    assert (message.error.code, message.id) == (code, identity)


def test_a_damaged_answer_ends_the_wait_for_it() -> None:
    message = parse(b'{"jsonrpc":"2.0","id":1,"error":"text"}')
    assert isinstance(message, Response)
    assert message.id == 1
    assert message.error is not None


def test_a_batch_keeps_what_is_good() -> None:
    messages = parse(b'[1,{"jsonrpc":"2.0","id":1,"method":"m"}]')
    assert isinstance(messages, list)
    assert [type(m) for m in messages] == [Malformed, Request]


def test_one_line_whatever_it_holds() -> None:
    message = jsonrpc.result(1, "line\nend\u2028 \udcff ü")
    line = jsonrpc.encode(message)
    assert b"\n" not in line
    assert json.loads(line) == message


def test_errors_become_answers() -> None:
    assert as_rpc_error(ToolError("what", next_step="then")).to_json() == {
        "code": -32000,
        "message": "what\nthen",
        "data": {"code": "tool"},
    }
    assert as_rpc_error(PermissionRejectedError("no")).code == -32010
    fault = as_rpc_error(ValueError("x"))
    assert fault.code == -32603
    assert "fault of pybridge" in fault.message
