"""Somebody who answers every permission that a running OpenCode asks for, and remembers what was asked."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from tests.kit.opencode_serve import OpenCodeServe

Asked = dict[str, Any]
"""One request as OpenCode announces it: id, sessionID, permission, patterns, always, metadata, tool."""


class PermissionDesk:
    """Follows the server's events in a thread of its own. Use as a context manager.

    The events, because `GET /permission` fails as a whole while a built-in glob or grep without a path asks.

    Args:
        server: the running OpenCode.
        answer: what to reply to a request: `once`, `always`, `reject`, or None to leave it unanswered.
    """

    def __init__(self, server: OpenCodeServe, answer: Callable[[Asked], str | None] = lambda asked: "once") -> None:
        self._server = server
        self._answer = answer
        self._connected = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._socket: socket.socket | None = None
        self.asked: list[Asked] = []

    def __enter__(self) -> PermissionDesk:
        self._thread.start()
        assert self._connected.wait(30), "OpenCode's event stream does not begin"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(30)

    def of_call(self, call_id: str) -> list[Asked]:
        """What one tool call asked for, in order."""
        return [asked for asked in self.asked if (asked.get("tool") or {}).get("callID") == call_id]

    def _serve(self) -> None:
        connection = http.client.HTTPConnection(self._server.url.removeprefix("http://"))
        connection.connect()
        self._socket = connection.sock
        connection.request("GET", "/event", headers=self._server.headers)
        with connection.getresponse() as events, contextlib.suppress(OSError, http.client.HTTPException):
            for line in events:
                if line.startswith(b"data:"):
                    self._take(json.loads(line[5:]))

    def _take(self, event: dict[str, Any]) -> None:
        self._connected.set()
        if event.get("type") != "permission.asked":
            return
        asked: Asked = event["properties"]
        self.asked.append(asked)
        reply = self._answer(asked)
        if reply is not None:
            with contextlib.suppress(AssertionError):  # answered meanwhile, by the answer to another one
                self._server.reply(asked["id"], reply)
