"""One `opencode serve` process kept for many calls: sessions, messages, permission replies over its HTTP API."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import os
import queue
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from pybridge.demo.model_server import MODEL_ID, ModelServer, Turn
from tests.kit.opencode import OpenCodeHome, ToolUse, end_group

START_SECONDS = 60.0
END_SECONDS = 10.0
REQUEST_SECONDS = 100.0


class OpenCodeServe:
    """A running `opencode serve`, with a scripted model. Use as a context manager.

    Args:
        home: where and how to run it.
        launcher: what to run instead of OpenCode itself, up to OpenCode's own arguments.
        folder: the folder sessions work in; the one the server was started in unless given.
        command: which of OpenCode's servers: `serve` or `web`.
        environment: further variables of its process.
        model: a scripted model that is running already, to be shared by several servers of one home.
    """

    def __init__(
        self,
        home: OpenCodeHome,
        *,
        launcher: Sequence[str] = (),
        folder: Path | None = None,
        command: str = "serve",
        environment: Mapping[str, str] | None = None,
        model: ModelServer | None = None,
    ) -> None:
        self._home = home
        self._launcher = launcher
        self._folder = folder
        self._command = command
        self._environment = home.variables(home.project) | dict(environment or {})
        self._said: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._owns_model = model is None
        self.model = model or ModelServer()
        self.url = ""

    def __enter__(self) -> OpenCodeServe:
        if self._owns_model:
            self.model.start()
        self._home.write_config(self.model.base_url)
        self.process = subprocess.Popen(
            [*(self._launcher or [str(self._home.binary)]), self._command, "--hostname", "127.0.0.1", "--port", "0"],
            cwd=self._home.project,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        self._wait_until_alone()
        end_group(self.process)
        self.process.wait()
        if self._owns_model:
            self.model.close()

    def _wait_until_alone(self) -> None:
        # OpenCode does not wait for its children when it is told to end: they clean up by themselves.
        deadline = time.monotonic() + END_SECONDS
        with contextlib.suppress(ProcessLookupError):
            while self.process.poll() is not None and time.monotonic() < deadline:
                os.killpg(self.process.pid, 0)
                time.sleep(0.02)

    def in_folder(self, folder: Path) -> OpenCodeServe:
        """The same running server, as a client sees it that works in another folder. Its end is not this one's."""
        other = copy.copy(self)
        other._folder = folder
        return other

    @property
    def said(self) -> str:
        """What the process has written so far."""
        return "".join(self._said)

    @property
    def headers(self) -> dict[str, str]:
        """What every request says: the server's password if it has one, and the folder."""
        headers = {"Content-Type": "application/json"}
        if password := self._environment.get("OPENCODE_SERVER_PASSWORD"):
            headers["Authorization"] = "Basic " + base64.b64encode(f"opencode:{password}".encode()).decode()
        if self._folder is not None:
            headers["x-opencode-directory"] = str(self._folder)
        return headers

    def request(self, method: str, path: str, body: Any = None, timeout: float = REQUEST_SECONDS) -> Any:
        """One HTTP request, with the server's password if it has one; returns the JSON answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, self.headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                raw = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from error
        return json.loads(raw) if raw else None

    def session(self) -> str:
        """Make a session; returns its id."""
        return self.request("POST", "/session", {})["id"]

    def message(
        self, session: str, turns: Sequence[Turn] | None, *, model: str = MODEL_ID, text: str = "Go."
    ) -> list[ToolUse]:
        """Send one message, play `turns` for it, wait for the end; returns the message's tool calls in order.

        Args:
            turns: None leaves the model's scripts as they are.
        """
        before = {m["info"]["id"] for m in self.request("GET", f"/session/{session}/message")}
        if turns is not None:
            self.model.play(turns)
        body = {"model": {"providerID": "scripted", "modelID": model}, "parts": [{"type": "text", "text": text}]}
        self.request("POST", f"/session/{session}/message", body)
        return self.tools(session, before)

    def start_message(self, session: str, turns: Sequence[Turn] | None, *, model: str = MODEL_ID) -> None:
        """Send one message and return at once; see `message`."""
        if turns is not None:
            self.model.play(turns)
        body = {"model": {"providerID": "scripted", "modelID": model}, "parts": [{"type": "text", "text": "Go."}]}
        self.request("POST", f"/session/{session}/prompt_async", body)

    def tools(self, session: str, except_messages: set[str] | frozenset[str] = frozenset()) -> list[ToolUse]:
        """The tool calls of a session that are over, oldest first."""
        return [ToolUse.from_part(part) for part in self.parts(session, except_messages) if _is_over(part)]

    def parts(self, session: str, except_messages: set[str] | frozenset[str] = frozenset()) -> list[dict[str, Any]]:
        """The tool parts of a session, in whatever state, oldest first."""
        messages = self.request("GET", f"/session/{session}/message")
        wanted = [m for m in messages if m["info"]["id"] not in except_messages]
        return [part for m in wanted for part in m["parts"] if part["type"] == "tool"]

    def wait_permission(self, timeout: float = 30.0) -> dict[str, Any]:
        """Wait until a permission is asked for; returns the request."""
        return self._wait(lambda: next(iter(self.request("GET", "/permission")), None), timeout, "permission request")

    def reply(self, permission: str, reply: str, message: str | None = None) -> None:
        """Answer a permission request: `once`, `always` or `reject`, the last with a word for the model if given."""
        body = {"reply": reply} if message is None else {"reply": reply, "message": message}
        self.request("POST", f"/permission/{permission}/reply", body)

    def wait_idle(self, session: str, timeout: float = 60.0) -> None:
        """Wait until the session does nothing more; call it once something was seen under way."""
        self._wait(lambda: session not in self.request("GET", "/session/status"), timeout, "idle session")

    def abort(self, session: str) -> None:
        """Abort what the session does, as Esc in the TUI."""
        self.request("POST", f"/session/{session}/abort")

    def _wait(self, look: Any, timeout: float, what: str) -> Any:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(0.05)
        raise AssertionError(f"no {what} within {timeout} s; OpenCode said:\n" + "".join(self._said[-50:]))

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.append(line)
            self._lines.put(line)
        self._lines.put(None)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.url:
            try:
                line = self._lines.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError("opencode serve did not start:\n" + "".join(self._said[-50:]))
            if found := re.search(r"(?:listening on|Web interface:).*?(http://[^\s\x1b]+)", line):
                self.url = found[1].rstrip("/")

        def healthy() -> bool:
            # For a moment after the port opens, accepted connections are never answered: short attempts, retried.
            try:
                return self.request("GET", "/global/health", timeout=0.5)["healthy"]
            except (OSError, AssertionError):
                return False

        self._wait(healthy, deadline - time.monotonic(), "healthy server")


def _is_over(part: dict[str, Any]) -> bool:
    return part["state"]["status"] in ("completed", "error")
