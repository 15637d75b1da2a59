"""`mentions.deliver`: the remote's contents, or an error within a deadline; never a failure of the message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pybridge.errors import UnknownHostError
from pybridge.sidecar import mentions
from pybridge.sidecar.connection import Connection
from pybridge.sidecar.peer import Incoming
from pybridge.sidecar.target import Target
from tests.sidecar.fake_sidecar import PretendedRemote
from tests.sidecar.kit import Sidecar


def params(text: str = "@a.py", agent: str = "build") -> dict[str, Any]:
    parts = [{"id": "prt_1", "type": "text", "text": text}]
    return {"sessionID": "s", "messageID": "m", "agent": agent, "directory": "/a", "worktree": "/", "parts": parts}


async def deliver(connect: Callable[[], Any], **more: str) -> list[dict[str, Any]] | None:
    connection = Connection(connect, lambda state, target, error: None)
    try:
        return (await mentions.deliver(params(**more), connection, Incoming(1)))["parts"]
    finally:
        await connection.close()


async def connected() -> Target:
    return PretendedRemote({}, {})


async def test_words_go_to_the_remote() -> None:
    assert await deliver(connected, text="@a.py @b") == [
        {"keep": 0},
        {"id": "prt_new0", "type": "text", "text": "a.py"},
        {"id": "prt_new1", "type": "text", "text": "b"},
    ]


async def test_a_message_without_mentions_waits_for_nothing() -> None:
    async def never() -> Target:
        await asyncio.Event().wait()
        raise AssertionError

    assert await deliver(never, text="me@example.com") is None


@pytest.mark.parametrize("where", ["connecting", "reading"])
async def test_the_wait_has_an_end(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setattr(mentions, "DEADLINE", 0.05)

    async def connect() -> Target:
        if where == "connecting":
            await asyncio.Event().wait()
        return await connected()

    parts = await deliver(connect, agent="stuck")
    assert parts is not None
    assert "failed to read a.py with the following error: The remote did not answer within 0.05 s." in parts[2]["text"]


async def test_what_may_be_no_file_is_waited_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mentions, "GUESS_DEADLINE", 0.05)
    assert await deliver(connected, agent="stuck", text="@alice") == [{"keep": 0}]


async def test_why_there_is_no_connection_is_said() -> None:
    async def fail() -> Target:
        raise UnknownHostError("The host has no address.")

    parts = await deliver(fail)
    assert parts is not None
    assert parts[2]["text"].endswith("The host has no address.")


async def test_a_defect_is_an_error_of_the_mention() -> None:
    parts = await deliver(connected, agent="bug")
    assert parts is not None
    assert "KeyError" in parts[2]["text"]


async def test_over_the_protocol(tmp_path: Any) -> None:
    forgotten = tmp_path / "forgotten"
    async with Sidecar(env={"FAKE_FORGOTTEN": str(forgotten)}) as sidecar:
        assert "initialize" in (await sidecar.ask("mentions.deliver", params()))["error"]["message"]
        await sidecar.initialize()
        answer = await sidecar.ask("mentions.deliver", params())
        assert answer["result"]["parts"][1]["text"] == "a.py"
        assert "parts" in (await sidecar.ask("mentions.deliver", {}))["error"]["message"]
        await sidecar.ask("session.forget", {"sessionID": "ses_9"})
        assert forgotten.read_text() == "ses_9"
        assert "sessionID" in (await sidecar.ask("session.forget", {}))["error"]["message"]
