"""What the sidecar does when it is told of /undo or /redo, with a pretended target."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from pybridge.errors import AuthenticationError
from pybridge.mirror.reverted_changes import Reverted
from pybridge.sidecar import reverts
from pybridge.sidecar.connection import Connection
from pybridge.sidecar.jsonrpc import InvalidParams
from pybridge.sidecar.target import Target
from pybridge.sidecar.turns import SessionTurns
from pybridge.tools.conversation import Conversation, Point

pytestmark = pytest.mark.unit

POINT = {"sessionID": "ses", "point": {"messageID": "msg_2", "partID": None}}
NO_POINT = {"sessionID": "ses", "point": None}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Local records go to a folder of the test."""
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))


class Pretended:
    """A target that writes down what is taken back."""

    host = "pretended.example"

    def __init__(self) -> None:
        self.points: list[Point | None] = []

    async def revert(self, point: Point | None, conversation: Conversation) -> dict[str, str]:
        self.points.append(point)
        return {"message": "done", "variant": "success"}


class Bench:
    """The method, and all it needs."""

    def __init__(self, connect: Callable[[], Awaitable[Any]] | None = None) -> None:
        self.target = Pretended()
        self.turns = SessionTurns()
        self.answer: Any = {"messages": [], "children": [{"id": "child", "parent": "ses"}]}
        self.connected = 0
        self._given = connect

    async def _connect(self) -> Target:
        self.connected += 1
        return await self._given() if self._given else cast(Target, self.target)

    async def __call__(self, params: dict[str, Any]) -> dict[str, Any]:
        async def ask() -> Any:
            return self.answer

        connection = Connection(self._connect, lambda *_: None)
        return await reverts.revert(params, connection, self.turns, ask, asyncio.Event())


async def never() -> Any:
    await asyncio.Event().wait()


async def test_a_point_is_carried_out_once_connected() -> None:
    bench = Bench()
    assert await bench(POINT) == {"message": "done", "variant": "success"}
    assert bench.target.points == [Point("msg_2")]


async def test_a_session_that_was_never_taken_back_needs_no_connection() -> None:
    bench = Bench(never)
    assert await bench(NO_POINT) == {}
    assert bench.connected == 0
    reverts.reverted_changes().put("ses", Reverted({"change": "part"}))
    reverts.forget("ses")
    assert await bench(NO_POINT) == {}
    assert bench.connected == 0


async def test_one_that_was_is_brought_back() -> None:
    reverts.reverted_changes().put("ses", Reverted({"change": "part"}))
    bench = Bench()
    await bench(NO_POINT)
    assert bench.target.points == [None]


async def test_a_connection_is_waited_for_within_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reverts, "CONNECT_SECONDS", 0.05)
    bench = Bench(never)
    said = await bench(POINT)
    assert (said["variant"], "in time" in said["message"]) == ("error", True)
    async with asyncio.timeout(10), bench.turns.call("ses", asyncio.Event()):
        pass  # nobody is held back


async def test_why_there_is_no_connection_is_said() -> None:
    async def refused() -> Any:
        raise AuthenticationError("The password is wrong.")

    assert "The password is wrong." in (await Bench(refused)(POINT))["message"]


@pytest.mark.parametrize(
    "answer", [None, {}, {"messages": [{"id": "msg"}], "children": []}, {"messages": [], "children": [1]}]
)
async def test_without_knowing_what_is_left_of_the_session_nothing_is_done(answer: Any) -> None:
    bench = Bench()
    bench.answer = answer
    said = await bench(POINT)
    assert said["variant"] == "error"
    assert bench.target.points == []


@pytest.mark.parametrize(
    "params", [{}, {"sessionID": 1}, {"sessionID": "s", "point": []}, {"sessionID": "s", "point": {}}]
)
async def test_other_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams):
        await Bench()(params)


async def test_calls_of_its_sub_agents_are_waited_for() -> None:
    bench, gate = Bench(), asyncio.Event()

    async def call() -> None:
        async with bench.turns.call("child", asyncio.Event()):
            await gate.wait()

    calling = asyncio.ensure_future(call())
    moving = asyncio.ensure_future(bench(POINT))
    for _ in range(50):
        await asyncio.sleep(0)
    assert bench.target.points == []
    gate.set()
    await moving
    assert bench.target.points == [Point("msg_2")]
    await calling


async def test_a_call_that_does_not_end_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reverts, "CALLS_SECONDS", 0.05)
    bench = Bench()
    async with bench.turns.call("child", asyncio.Event()):
        await bench(POINT)
    assert bench.target.points == [Point("msg_2")]
