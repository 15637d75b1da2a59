"""One end of a JSON-RPC 2.0 connection: both sides call each other, many calls run at once."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from pybridge.errors import ConnectionLostError
from pybridge.sidecar import jsonrpc
from pybridge.sidecar.jsonrpc import (
    Id,
    InvalidRequest,
    Malformed,
    Message,
    MethodNotFound,
    Notification,
    PeerClosed,
    Request,
    Response,
    as_rpc_error,
)
from pybridge.sidecar.stdio import LineReader, TooLong, Writer

log = logging.getLogger(__name__)


@dataclass
class Incoming:
    """One request of the other side while it is being worked on.

    Args:
        id: as the other side numbered it.
        cancelled: set by `$/cancel`; the request is answered all the same.
    """

    id: Id
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)


Method = Callable[[dict[str, Any], Incoming], Awaitable[Any]]


class Peer:
    """Reads messages, runs methods, matches answers.

    Args:
        reader: where the other side's lines come from.
        writer: where ours go.
        methods: what the other side may call; each runs in a task of its own.
    """

    def __init__(self, reader: LineReader, writer: Writer, methods: Mapping[str, Method]) -> None:
        self._reader = reader
        self._writer = writer
        self._methods = methods
        self._numbers = itertools.count(1)
        self._pending: dict[Id, asyncio.Future[Any]] = {}
        self._running: dict[Id, Incoming] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Serve until the other side's stream ends. Requests under way are left running: see `cancel_all`, `finish`."""
        async for line in self._reader.lines():
            if isinstance(line, TooLong):
                error = InvalidRequest(f"A line of {line.size} bytes is too long: it was not read")
                await self._send(_failed(None, error))
            elif line.strip():
                await self._dispatch(jsonrpc.parse(line))
        for future in self._pending.values():
            if not future.done():
                future.set_exception(PeerClosed("OpenCode is gone"))

    def cancel_all(self) -> None:
        """Cancel every request under way, as `$/cancel` would."""
        for incoming in self._running.values():
            incoming.cancelled.set()

    async def finish(self, seconds: float) -> None:
        """Wait for the requests under way, at most so long, then drop them; send what is unsent."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=0.5)
        try:
            await asyncio.wait_for(self._writer.flush(), 0.5)
        except TimeoutError:
            log.info("the other side does not read; what was unsent is dropped")

    async def request(self, method: str, params: dict[str, Any]) -> Any:
        """Call the other side.

        Raises:
            RpcError: its answer is an error.
            PeerClosed: it ended before answering.
        """
        identity = next(self._numbers)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[identity] = future
        try:
            if self._writer.closed:
                raise PeerClosed("OpenCode is gone")
            await self._send(jsonrpc.encode(jsonrpc.request(identity, method, params)))
            return await future
        finally:
            del self._pending[identity]

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        """Tell the other side something."""
        await self._send(jsonrpc.encode(jsonrpc.notification(method, params)))

    async def _send(self, message: bytes) -> None:
        await self._writer.write(message + b"\n")

    async def _dispatch(self, message: Message | list[Message]) -> None:
        if isinstance(message, list):
            replies = [r for m in message if not isinstance(m, Request) and (r := self._handle(m)) is not None]
            self._spawn(self._answer_batch([self._begin(m) for m in message if isinstance(m, Request)], replies))
        elif isinstance(message, Request):
            self._spawn(self._answer_alone(self._begin(message)))
        elif (reply := self._handle(message)) is not None:
            await self._send(reply)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_alone(self, answer: Awaitable[bytes]) -> None:
        await self._send(await answer)

    async def _answer_batch(self, answers: list[Awaitable[bytes]], replies: list[bytes]) -> None:
        replies += await asyncio.gather(*answers)
        if replies:
            await self._send(b"[" + b",".join(replies) + b"]")

    def _handle(self, message: Notification | Response | Malformed) -> bytes | None:
        if isinstance(message, Malformed):
            return _failed(message.id, message.error)
        if isinstance(message, Notification):
            if message.method == "$/cancel":
                self._cancel(message.params.get("id"))
            else:
                log.debug("unknown notification %s", message.method)
            return None
        future = None if message.id is None else self._pending.get(message.id)
        if future is None or future.done():
            log.warning("an answer to a request that is not waiting: id %s", message.id)
        elif message.error is not None:
            future.set_exception(message.error)
        else:
            future.set_result(message.result)
        return None

    def _cancel(self, identity: object) -> None:
        if not isinstance(identity, int | str) or isinstance(identity, bool):  # true would be found as 1
            return
        incoming = self._running.get(identity)
        if incoming is not None:  # else it was answered meanwhile
            incoming.cancelled.set()

    def _begin(self, request: Request) -> Coroutine[Any, Any, bytes]:
        # Known from here on, before its task first runs: a `$/cancel` right behind it must find it.
        method = self._methods.get(request.method)
        if method is None:
            return _refuse(request, MethodNotFound(f"There is no method {request.method}"))
        if request.id in self._running:
            return _refuse(request, InvalidRequest(f"Request {request.id} is already being worked on"))
        incoming = self._running[request.id] = Incoming(request.id)
        return self._answer(request, method, incoming)

    async def _answer(self, request: Request, method: Method, incoming: Incoming) -> bytes:
        try:
            # Encoded in here: what is no JSON is this method's failure, not the connection's.
            return jsonrpc.encode(jsonrpc.result(request.id, await method(request.params, incoming)))
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            # Something it waited for was cancelled, not this: whoever asked still waits for an answer.
            log.exception("%s was cut off", request.method)
            return _failed(request.id, as_rpc_error(ConnectionLostError("The connection ended during the call.")))
        except Exception as error:
            failure = as_rpc_error(error)
            if isinstance(failure, jsonrpc.InternalError):
                log.exception("%s failed", request.method)
            return _failed(request.id, failure)
        finally:
            del self._running[request.id]


async def _refuse(request: Request, error: jsonrpc.RpcError) -> bytes:
    return _failed(request.id, error)


def _failed(identity: Id | None, error: jsonrpc.RpcError) -> bytes:
    return jsonrpc.encode(jsonrpc.failure(identity, error))
