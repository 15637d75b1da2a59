"""OpenCode's own stream of events, GET /global/event: what its interfaces draw from.

(GET /event, which is one folder's, has no `message.part.updated` in 1.15.0.)
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.waiting import wait_until


class EventStream:
    """Records a running server's events from now on, oldest first. Use as a context manager."""

    def __init__(self, serve: OpenCodeServe) -> None:
        self._serve = serve
        self._events: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        address = urlsplit(self._serve.url)
        self._connection = http.client.HTTPConnection(str(address.hostname), address.port)
        self._connection.request("GET", "/global/event", headers=self._serve.headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.status
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        wait_until(lambda: self._events, "event")  # `server.connected`
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._connection.sock is not None:
            self._connection.sock.close()
        self._connection.close()

    def toasts(self) -> list[str]:
        """The notices shown so far."""
        with self._lock:
            events = list(self._events)
        return [e["properties"]["message"] for e in events if e.get("type") == "tui.toast.show"]

    def wait_toast(self, number: int) -> str:
        """Wait until so many notices were shown; returns the last of them."""
        return wait_until(lambda: self.toasts()[number - 1 :], f"notice {number}: {self.toasts()}")[0]

    def states(self, command: str) -> list[dict[str, Any]]:
        """Every state the call of bash with this command was in, one for each event that told it."""
        with self._lock:
            events = list(self._events)
        parts = [e["properties"]["part"] for e in events if e.get("type") == "message.part.updated"]
        return [
            p["state"] for p in parts if p["type"] == "tool" and p["state"].get("input", {}).get("command") == command
        ]

    def shown(self, command: str) -> list[str]:
        """What the running call had printed, at each event, without repetitions."""
        found: list[str] = []
        for state in self.states(command):
            output = state.get("metadata", {}).get("output") if state["status"] == "running" else None
            if output is not None and [output] != found[-1:]:
                found.append(output)
        return found

    def wait_shown(self, command: str, text: str) -> None:
        """Wait until the running call shows exactly this."""
        wait_until(lambda: self.shown(command)[-1:] == [text], f"{text!r} of {command!r}: {self.states(command)}")

    def wait_state(self, command: str, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait for a state of the call; returns it."""
        return wait_until(lambda: [s for s in self.states(command) if wanted(s)], what)[0]

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
            while line := self._answer.readline():
                if line.startswith(b"data: "):
                    event = json.loads(line.removeprefix(b"data: "))["payload"]
                    with self._lock:
                        self._events.append(event)
