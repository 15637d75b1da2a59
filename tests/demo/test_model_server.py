"""The scripted model, asked as OpenCode asks it."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from pybridge.demo.model_server import EXHAUSTED, TITLE, ModelServer, ToolCall, Turn, call, calls, provider_config, say

pytestmark = pytest.mark.unit

TOOLS = [{"type": "function", "function": {"name": "read", "description": "d", "parameters": {"type": "object"}}}]


def ask(server: ModelServer, **body: Any) -> list[dict[str, Any]]:
    """One streamed request; returns its chunks."""
    data = json.dumps({"model": "m", "stream": True, "messages": [], **body}).encode()
    request = urllib.request.Request(server.base_url + "/chat/completions", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        lines = [line for line in answer.read().decode().split("\n\n") if line]
    assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def deltas(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]


def test_turns_are_played_in_order_and_then_the_script_says_it_is_over() -> None:
    with ModelServer([call("read", filePath="/a"), say("done")]) as server:
        first = ask(server, tools=TOOLS)
        second = ask(server, tools=TOOLS)
        third = ask(server, tools=TOOLS)
    function = deltas(first)[1]["tool_calls"][0]["function"]
    assert function["name"] == "read"
    assert json.loads(function["arguments"]) == {"filePath": "/a"}
    assert first[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert deltas(second)[0]["content"] == "done"
    assert second[-2]["choices"][0]["finish_reason"] == "stop"
    assert deltas(third)[0]["content"] == EXHAUSTED


def test_parallel_calls_have_their_own_index_and_id() -> None:
    with ModelServer([calls(ToolCall("a", {}), ToolCall("b", "not JSON"))]) as server:
        parts = [delta["tool_calls"][0] for delta in deltas(ask(server, tools=TOOLS)) if "tool_calls" in delta]
    assert [part["index"] for part in parts] == [0, 1]
    assert len({part["id"] for part in parts}) == 2
    assert parts[1]["function"]["arguments"] == "not JSON"


def test_the_title_request_takes_no_turn() -> None:
    with ModelServer([say("for the conversation")]) as server:
        assert deltas(ask(server))[0]["content"] == TITLE
        assert server.remaining == 1
        assert len(server.title_requests) == 1
        assert server.requests == []


def test_requests_are_recorded_as_they_came() -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "go"}]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "the result"}]},
    ]
    with ModelServer([say("x")]) as server:
        ask(server, tools=TOOLS, messages=messages)
        (request,) = server.requests
    assert request.system == "be brief"
    assert list(request.tools) == ["read"]
    assert request.tool_results == ["the result"]
    assert request.model == "m"


def test_play_replaces_the_script_and_forgets_the_requests() -> None:
    with ModelServer([say("old")]) as server:
        ask(server, tools=TOOLS)
        server.play([Turn("new")])
        assert server.requests == []
        assert deltas(ask(server, tools=TOOLS))[0]["content"] == "new"


def test_conversations_can_have_scripts_of_their_own() -> None:
    def began(text: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": f"<{text}>"}, {"role": "user", "content": "then one"}]

    with ModelServer([say("main")]) as server:
        server.play_for("one", [say("1a"), say("1b")])
        server.play_for("two", [say("2a")])
        said = [
            deltas(ask(server, tools=TOOLS, messages=began(text)))[0]["content"]
            for text in ("one", "two", "else", "one", "two")
        ]
        assert said == ["1a", "2a", "main", "1b", EXHAUSTED]
        assert [request.prompt for request in server.requests] == ["<one>", "<two>", "<else>", "<one>", "<two>"]
        server.play_for("one", [say("1c")])
        assert server.remaining == 1
        server.play([])
        assert server.remaining == 0


def test_an_answer_can_be_asked_for_in_one_piece() -> None:
    with ModelServer([call("read", filePath="/a")]) as server:
        data = json.dumps({"model": "m", "messages": [], "tools": TOOLS}).encode()
        with urllib.request.urlopen(server.base_url + "/chat/completions", data, timeout=10) as answer:
            whole = json.loads(answer.read())
    assert whole["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "read"


def test_it_listens_on_loopback_only() -> None:
    with ModelServer() as server:
        assert server.base_url.startswith("http://127.0.0.1:")


def test_the_first_model_is_the_default() -> None:
    config = provider_config("http://127.0.0.1:1/v1", ("one", "two-gpt-5"))
    assert config["model"] == "scripted/one"
    assert set(config["provider"]["scripted"]["models"]) == {"one", "two-gpt-5"}
