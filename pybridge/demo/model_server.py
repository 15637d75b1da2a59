"""A scripted model behind the OpenAI chat-completions protocol, for driving the real OpenCode without a model.

It listens on loopback only, plays a list of assistant turns in order, and records every request it got, so a test can
see exactly what reached "the model": system prompt, tools offered, tool results. Streaming follows
https://platform.openai.com/docs/api-reference/chat-streaming as far as `@ai-sdk/openai-compatible` reads it.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL_ID = "scripted"
"""The model id used unless another is asked for; any id is answered."""

TITLE = "Scripted session"
"""What the title request (OpenCode's one request without tools) is answered with."""

EXHAUSTED = "The script has no further turn."
"""What is answered after the last turn of a script, so that a conversation always ends."""


@dataclass(frozen=True)
class ToolCall:
    """One tool call of the model.

    Args:
        name: the tool's name.
        arguments: its arguments; a `str` is sent as it is, to play a model that writes bad JSON.
    """

    name: str
    arguments: Mapping[str, Any] | str


@dataclass(frozen=True)
class Turn:
    """One answer of the model: text, tool calls (several run in parallel), or both."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


def say(text: str) -> Turn:
    """A turn of text only, which ends the conversation."""
    return Turn(text=text)


def call(tool: str, /, **arguments: Any) -> Turn:
    """A turn with one tool call."""
    return Turn(calls=(ToolCall(tool, arguments),))


def calls(*wanted: ToolCall) -> Turn:
    """A turn with several tool calls at once."""
    return Turn(calls=wanted)


@dataclass(frozen=True)
class ModelRequest:
    """One request as it arrived.

    Args:
        body: the whole JSON body.
        authorization: the Authorization header, or an empty string.
    """

    body: dict[str, Any]
    authorization: str

    @property
    def model(self) -> str:
        """The model id asked for."""
        return str(self.body.get("model", ""))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation so far."""
        return list(self.body.get("messages", []))

    @property
    def system(self) -> str:
        """The system prompt: every system message, joined."""
        return "\n".join(_text(m.get("content")) for m in self.messages if m.get("role") == "system")

    @property
    def tools(self) -> dict[str, dict[str, Any]]:
        """The tools offered, by name, each with `description` and `parameters`."""
        return {t["function"]["name"]: t["function"] for t in self.body.get("tools", [])}

    @property
    def prompt(self) -> str:
        """What began the conversation: the text of the first user message."""
        return next((_text(m.get("content")) for m in self.messages if m.get("role") == "user"), "")

    @property
    def tool_results(self) -> list[str]:
        """Text of every tool result in the conversation, oldest first."""
        return [_text(m.get("content")) for m in self.messages if m.get("role") == "tool"]


@dataclass
class _State:
    turns: list[Turn] = field(default_factory=list)
    turns_for: dict[str, list[Turn]] = field(default_factory=dict)
    requests: list[ModelRequest] = field(default_factory=list)
    title_requests: list[ModelRequest] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))


class ModelServer:
    """A scripted model on 127.0.0.1, on a free port, in a thread of its own.

    Use as a context manager, or `start()` and `close()`.

    Args:
        turns: what to answer, in order. One turn answers one request that offers tools.
    """

    def __init__(self, turns: Sequence[Turn] = ()) -> None:
        self._state = _State(turns=list(turns))
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> ModelServer:
        """Listen. The address is in `base_url` afterwards."""
        state = self._state

        class Handler(_Handler):
            played = state

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop listening. Does nothing when not started."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> ModelServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def base_url(self) -> str:
        """What goes into a provider's `options.baseURL`."""
        if self._server is None:
            raise RuntimeError("the model server is not started")
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def play(self, turns: Sequence[Turn]) -> None:
        """Replace the script, and forget the requests recorded so far."""
        with self._state.lock:
            self._state.turns[:] = turns
            self._state.turns_for.clear()
            self._state.requests.clear()
            self._state.title_requests.clear()

    def play_for(self, prompt: str, turns: Sequence[Turn]) -> None:
        """Give conversations of their own (sub-agents, sessions side by side) a script of their own, beside the others.

        Args:
            prompt: a text that the first user message of those conversations holds, and of no others.
            turns: what to answer them, in order.
        """
        with self._state.lock:
            self._state.turns_for[prompt] = list(turns)

    @property
    def requests(self) -> list[ModelRequest]:
        """Every request that offered tools, in order of arrival."""
        with self._state.lock:
            return list(self._state.requests)

    @property
    def title_requests(self) -> list[ModelRequest]:
        """Every request without tools."""
        with self._state.lock:
            return list(self._state.title_requests)

    @property
    def remaining(self) -> int:
        """Turns not yet played."""
        with self._state.lock:
            return sum(map(len, [self._state.turns, *self._state.turns_for.values()]))


def provider_config(base_url: str, models: Sequence[str] = (MODEL_ID,)) -> dict[str, Any]:
    """OpenCode configuration that makes the scripted model its only provider, named `scripted`.

    Args:
        base_url: `ModelServer.base_url`.
        models: model ids to offer; the first is the default. An id with `gpt-5` in it makes OpenCode offer apply_patch.
    """
    return {
        "provider": {
            "scripted": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "Scripted",
                "options": {"baseURL": base_url, "apiKey": "none"},
                "models": {
                    m: {"name": m, "tool_call": True, "limit": {"context": 400_000, "output": 20_000}} for m in models
                },
            }
        },
        "enabled_providers": ["scripted"],
        "model": f"scripted/{models[0]}",
        "small_model": f"scripted/{models[0]}",
        "autoupdate": False,
        "share": "disabled",
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that ends in the middle of an answer is an everyday thing."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    played: _State

    def do_GET(self) -> None:
        self._json({"object": "list", "data": [{"id": MODEL_ID, "object": "model"}]})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        try:
            body = json.loads(raw)
        except ValueError:
            self._json({"error": {"message": "the body is not JSON"}}, status=400)
            return
        turn = self._next(ModelRequest(body, self.headers.get("Authorization", "")))
        if not body.get("stream"):
            self._json(self._whole(turn, body))
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in self._chunks(turn, str(body.get("model", MODEL_ID))):
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _next(self, request: ModelRequest) -> Turn:
        state = self.played
        with state.lock:
            if not request.tools:
                state.title_requests.append(request)
                return say(TITLE)
            state.requests.append(request)
            prompt = request.prompt
            turns = next((turns for text, turns in state.turns_for.items() if text in prompt), state.turns)
            return turns.pop(0) if turns else say(EXHAUSTED)

    def _calls(self, turn: Turn) -> list[dict[str, Any]]:
        result = []
        for wanted in turn.calls:
            arguments = wanted.arguments if isinstance(wanted.arguments, str) else json.dumps(dict(wanted.arguments))
            result.append(
                {
                    "id": f"call_{next(self.played.numbers)}",
                    "type": "function",
                    "function": {"name": wanted.name, "arguments": arguments},
                }
            )
        return result

    def _chunks(self, turn: Turn, model: str) -> Iterator[dict[str, Any]]:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": int(time.time()), "model": model}

        def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
            return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

        yield chunk({"role": "assistant", "content": turn.text})
        for index, wanted in enumerate(self._calls(turn)):
            yield chunk({"tool_calls": [{"index": index, **wanted}]})
        yield chunk({}, "tool_calls" if turn.calls else "stop")
        yield {**head, "choices": [], "usage": _USAGE}

    def _whole(self, turn: Turn, body: dict[str, Any]) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": turn.text}
        if turn.calls:
            message["tool_calls"] = self._calls(turn)
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if turn.calls else "stop"}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "model": body.get("model")}
        return {**head, "choices": [choice], "usage": _USAGE}

    def _json(self, value: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the requests are recorded instead."""


_USAGE = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""
