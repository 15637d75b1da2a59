"""JSON-RPC 2.0 messages (https://www.jsonrpc.org/specification): reading, checking and writing them. No I/O here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pybridge.errors import PermissionRejectedError, RemoteError

Id = int | str

MOST_IN_BATCH = 1000
"""Messages of one batch (our own shim sends none). Each may cost an answer, far larger than what asks for it."""

REJECTED = -32010
"""OpenCode, or the user, rejected a permission; the message is OpenCode's own."""


class RpcError(Exception):
    """An error that can be sent as the answer to a request.

    Args:
        message: what happened; for a tool call, what the model reads.
        code: the error code on the wire; the class's own when left out.
        data: further facts, as JSON.
    """

    code: int = -32603

    def __init__(self, message: str, *, code: int | None = None, data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.data = data

    def to_json(self) -> dict[str, Any]:
        """The `error` member of a response."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


class ParseError(RpcError):
    """The line is not JSON."""

    code = -32700


class InvalidRequest(RpcError):
    """The JSON is not a JSON-RPC 2.0 message."""

    code = -32600


class MethodNotFound(RpcError):
    """No such method."""

    code = -32601


class InvalidParams(RpcError):
    """The parameters do not fit the method."""

    code = -32602


class InternalError(RpcError):
    """A fault of the program that answers."""

    code = -32603


class Rejected(RpcError):
    """A permission was rejected."""

    code = REJECTED


class RemoteFailure(RpcError):
    """A RemoteError, whose message a person can act on."""

    code = -32000


class PeerClosed(Exception):
    """The other side is gone; its answer will never come."""


@dataclass(frozen=True)
class Request:
    """A call that wants an answer."""

    id: Id
    method: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Notification:
    """A call without an answer."""

    method: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Response:
    """The answer to a request of ours: a result, or an error."""

    id: Id | None
    result: Any = None
    error: RpcError | None = None


@dataclass(frozen=True)
class Malformed:
    """A message that cannot be acted on, and the answer it gets."""

    id: Id | None
    error: RpcError


Message = Request | Notification | Response | Malformed


def parse(line: bytes) -> Message | list[Message]:
    """Read one line.

    Returns:
        one message, or a list of them for a batch; never raises: what is wrong becomes a Malformed.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Malformed(None, ParseError(f"This line is not JSON: {error}"))
    if isinstance(value, list):
        if not value:
            return Malformed(None, InvalidRequest("An empty batch asks for nothing"))
        if len(value) > MOST_IN_BATCH:
            return Malformed(None, InvalidRequest(f"A batch of {len(value)} messages is too long: none was read"))
        return [_message(item) for item in value]
    return _message(value)


def _message(value: object) -> Message:
    if not isinstance(value, dict):
        return Malformed(None, InvalidRequest("A message is a JSON object"))
    identity = value.get("id")
    usable = identity if isinstance(identity, int | str) and not isinstance(identity, bool) else None
    if value.get("jsonrpc") != "2.0":
        return Malformed(usable, InvalidRequest('The member "jsonrpc" must be "2.0"'))
    if "method" not in value:
        return _response(value, usable)
    method, params = value["method"], value.get("params", {})
    if not isinstance(method, str):
        return Malformed(usable, InvalidRequest('The member "method" must be a string'))
    if "id" in value and usable is None:
        return Malformed(None, InvalidRequest('The member "id" must be an integer or a string'))
    if not isinstance(params, dict):
        return Malformed(usable, InvalidParams("Parameters are given by name, as an object"))
    return Notification(method, params) if usable is None else Request(usable, method, params)


def _response(value: dict[str, Any], identity: Id | None) -> Message:
    if "result" not in value and "error" not in value:
        return Malformed(identity, InvalidRequest("A message has a method, or a result, or an error"))
    error = value.get("error")
    if error is None:
        return Response(identity, value.get("result"))
    # A bad answer still ends the wait for it. It is never answered itself: its id is one of ours.
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        return Response(identity, error=InvalidRequest('The member "error" of an answer holds no code'))
    return Response(identity, error=RpcError(str(error.get("message", "")), code=error["code"], data=error.get("data")))


def request(identity: Id, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """A request, ready for `encode`."""
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def notification(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """A notification, ready for `encode`."""
    return {"jsonrpc": "2.0", "method": method, "params": params}


def result(identity: Id, value: Any) -> dict[str, Any]:
    """A successful answer, ready for `encode`."""
    return {"jsonrpc": "2.0", "id": identity, "result": value}


def failure(identity: Id | None, error: RpcError) -> dict[str, Any]:
    """An answer that is an error, ready for `encode`."""
    return {"jsonrpc": "2.0", "id": identity, "error": error.to_json()}


def encode(message: dict[str, Any]) -> bytes:
    """One message as JSON. ASCII only, so that lone surrogates (undecodable file names) survive.

    Raises:
        TypeError, ValueError: it holds something that is no JSON.
    """
    return json.dumps(message, separators=(",", ":")).encode("ascii")


def as_rpc_error(error: BaseException) -> RpcError:
    """The answer a failed method gives.

    A RemoteError keeps its message; anything else is a fault of ours and says so.
    """
    if isinstance(error, RpcError):
        return error
    if isinstance(error, PermissionRejectedError):
        return Rejected(str(error), data={"code": error.code})
    if isinstance(error, RemoteError):
        return RemoteFailure(str(error), data={"code": error.code})
    return InternalError(
        f"This is a fault of pybridge itself: {type(error).__name__}: {error}\n"
        "Look at the remote before repeating the call: it may have been carried out in part."
    )
