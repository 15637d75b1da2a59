"""What the plugin tells the sidecar of /undo and /redo, and the notice it shows; a pretended remote behind it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.kit.waiting import WAIT_SECONDS
from tests.plugin.kit import Plugin, fake_python

POINT = {"messageID": "msg_2"}
MESSAGES = {
    "ses_2": [
        {
            "info": {"id": "msg_1", "role": "user", "time": {"created": 999}},
            "parts": [{"id": "prt_1", "type": "text", "text": "long" * 1000}],
        },
        {
            "info": {"id": "msg_2", "role": "assistant", "time": {"created": 1000}},
            "parts": [
                {
                    "id": "prt_2",
                    "type": "tool",
                    "tool": "edit",
                    "callID": "call_1",
                    "state": {"time": {"start": 5000, "end": 6000}},
                },
                {
                    "id": "prt_3",
                    "type": "tool",
                    "tool": "task",
                    "callID": "call_2",
                    "state": {"status": "completed", "metadata": {"sessionId": "ses_3"}},
                },
            ],
        },
    ]
}
OPENCODE = {"messages": MESSAGES, "children": {"ses_2": ["ses_3"], "ses_3": ["ses_4"]}}


def updated(session: str, revert: dict[str, Any] | None) -> dict[str, Any]:
    """OpenCode's event."""
    info = {"id": session, "title": "t", "time": {"created": 1000}, **({"revert": revert} if revert else {})}
    return {"type": "session.updated", "properties": {"info": info}}


class Recorded:
    """A plugin with a pretended remote that writes down what is taken back."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "reverts"
        self.file.touch()
        self.plugin = Plugin(fake_python(folder), env={"FAKE_REVERTS": str(self.file)})

    def points(self) -> list[Any]:
        return [point for _, point, _, _ in self.facts()]

    def facts(self) -> list[list[Any]]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    async def send(self, session: str, revert: dict[str, Any] | None) -> None:
        await self.plugin.do("event", name="a", event=updated(session, revert))

    async def toasts(self, number: int) -> list[dict[str, Any]]:
        """The notices, once there are so many."""
        async with asyncio.timeout(WAIT_SECONDS):
            while len(shown := (await self.plugin.do("opencode"))["toasts"]) < number:
                await asyncio.sleep(0.02)
            return shown


async def test_a_move_is_told_once_with_what_is_left_of_the_session(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    async with recorded.plugin as plugin:
        await plugin.load(with_client=True)
        await plugin.do("opencode", **OPENCODE)
        for _ in range(3):  # OpenCode says the same again whenever anything about the session changes
            await recorded.send("ses_2", POINT)
        assert await recorded.toasts(1) == [
            {"message": "taken back to msg_2", "variant": "success", "duration": 10_000}
        ]
        await plugin.call()  # of another session; whatever was sent before it has arrived
        messages = [
            ["msg_1", True, "prt_1/None/None/None"],
            ["msg_2", False, "prt_2/call_1/None/(5.0, 6.0)", "prt_3/call_2/ses_3/None"],
        ]
        assert recorded.facts() == [["ses_2", ["msg_2", None], messages, {"ses_3": "ses_2", "ses_4": "ses_3"}]]


async def test_moves_arrive_in_order(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    moves = ["msg_3", "msg_2", "msg_3", None]
    async with recorded.plugin as plugin:
        await plugin.load(with_client=True)
        await plugin.do("opencode", **OPENCODE)
        for move in moves:
            await recorded.send("ses_2", {"messageID": move, "partID": "prt_1", "diff": "x"} if move else None)
        await recorded.toasts(4)
        assert recorded.points() == [["msg_3", "prt_1"], ["msg_2", "prt_1"], ["msg_3", "prt_1"], None]


async def test_a_session_that_was_never_taken_back_asks_nothing(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    async with recorded.plugin as plugin:
        await plugin.load(with_client=True)  # and knows of no session: a question would fail
        await recorded.send("ses_1", None)
        await recorded.send("ses_1", None)
        assert (await plugin.call())["result"]["output"] == "hello"
        assert recorded.facts() == []
        assert (await plugin.do("opencode"))["toasts"] == []


async def test_a_session_that_cannot_be_asked_for_changes_nothing_and_says_so(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    async with recorded.plugin as plugin:
        await plugin.load(with_client=True)
        await recorded.send("ses_9", POINT)
        [toast] = await recorded.toasts(1)
        assert toast["variant"] == "error"
        assert "Not restored" in toast["message"]
        assert "NotFoundError" in toast["message"]
        assert recorded.facts() == []


@pytest.mark.whole
async def test_an_error_of_the_remote_is_shown(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    async with recorded.plugin as plugin:
        await plugin.load(with_client=True)
        await plugin.do("opencode", **OPENCODE)
        await recorded.send("ses_2", {"messageID": "msg_lost"})
        assert "The pretended link was lost." in (await recorded.toasts(1))[0]["message"]
        await recorded.send("ses_2", {"messageID": "msg_bug"})
        assert "is unknown" in (await recorded.toasts(2))[1]["message"]


@pytest.mark.whole
async def test_a_sidecar_that_dies_meanwhile_is_said_and_the_next_move_starts_it_again(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    async with recorded.plugin as plugin:
        await plugin.load(with_client=True)
        await plugin.do("opencode", **OPENCODE)
        await recorded.send("ses_2", {"messageID": "msg_stuck"})
        assert "broke while this call was running" in (await plugin.call("die"))["failure"]
        [toast] = await recorded.toasts(1)
        assert "is unknown" in toast["message"]
        await recorded.send("ses_2", POINT)
        assert (await recorded.toasts(2))[1]["message"] == "taken back to msg_2"


async def test_calls_of_the_session_wait_for_it_and_others_do_not(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    async with recorded.plugin as plugin:
        await plugin.load(with_client=True)
        messages = {**MESSAGES, "ses_1": []}  # the driver's calls are of ses_1
        await plugin.do("opencode", messages=messages, children={})
        await recorded.send("ses_2", {"messageID": "msg_stuck"})
        assert (await plugin.call())["result"]["output"] == "hello"
        await recorded.send("ses_1", POINT)
        assert (await plugin.call())["result"]["output"] == "hello"
        assert recorded.points() == [["msg_2", None]]  # written before the call was answered
        await recorded.send("ses_1", {"messageID": "msg_stuck"})
        waiting = plugin.begin_call(key="aborted")
        await plugin.do("abort", key="aborted")
        assert (await waiting)["failure"] == "Tool execution aborted"


def hint(session: str) -> dict[str, Any]:
    """What OpenCode 1.15 tells a plugin when something about a session has changed."""
    return {"type": "session.diff", "properties": {"sessionID": session, "diff": []}}


async def test_where_the_hook_hears_of_no_session_the_stream_does(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    async with recorded.plugin as plugin:
        await plugin.load(with_client=True, directory="/here")
        sessions = {"ses_2": updated("ses_2", POINT)["properties"]["info"]}
        await plugin.do("opencode", **OPENCODE, sessions=sessions)
        for _ in range(3):
            await plugin.do("event", name="a", event=hint("ses_2"))
        await recorded.toasts(1)
        assert recorded.points() == [["msg_2", None]]  # what had changed before the stream began
        told = [
            {"directory": "/elsewhere", "payload": updated("ses_2", {"messageID": "msg_9"})},
            {"directory": "/here", "payload": updated("ses_2", None)},
            {"payload": {"type": "server.connected"}},
            {"directory": "/here", "payload": updated("ses_2", {"messageID": "msg_1"})},
        ]
        await plugin.do("opencode", stream=told)
        await recorded.toasts(3)
        assert recorded.points() == [["msg_2", None], None, ["msg_1", None]]
        assert (await plugin.do("opencode"))["streams"] == 1


@pytest.mark.whole
async def test_where_the_hook_hears_of_sessions_there_is_no_stream(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    async with recorded.plugin as plugin:
        await plugin.load(with_client=True)
        await plugin.do("opencode", **OPENCODE)
        await plugin.do("event", name="a", event=hint("ses_2"))  # /undo, the first thing after a restart
        await recorded.send("ses_2", POINT)
        await recorded.toasts(1)
        await plugin.call("wait_a_second")
        await plugin.do("event", name="a", event=hint("ses_2"))
        assert (await plugin.do("opencode"))["streams"] == 0


async def test_without_an_interface_or_a_client_nothing_fails(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    async with recorded.plugin as plugin:
        await plugin.load()
        await recorded.send("ses_2", POINT)
        for event in ({"type": "session.updated"}, {"type": "session.updated", "properties": {}}, {"type": "other"}):
            await plugin.do("event", name="a", event=event)
        assert (await plugin.call())["result"]["output"] == "hello"
