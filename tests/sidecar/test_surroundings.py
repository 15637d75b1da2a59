"""`surroundings.prompt` and `surroundings.tool`: an answer within a deadline, whatever the remote does."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from pybridge.errors import UnknownHostError
from pybridge.sidecar import surroundings
from pybridge.sidecar.connection import Connection
from pybridge.sidecar.jsonrpc import InvalidParams
from pybridge.sidecar.peer import Incoming
from pybridge.sidecar.surroundings import Surroundings
from pybridge.sidecar.target import Connect, Target
from tests.sidecar.fake_sidecar import PretendedRemote
from tests.sidecar.kit import Sidecar

PROMPT = "<env>\n  Working directory: /home/me/anchor\n  Platform: darwin\n</env>"
UNKNOWN = "<env>\n  Folder: /home/me/anchor\n</env>"


def params(system: str = PROMPT, **more: Any) -> dict[str, Any]:
    return {"system": system, "directory": "/home/me/anchor", "worktree": "/", "instructions": [], **more}


def tool(description: str | None = "Be aware: OS: darwin, Shell: fish", name: str = "bash") -> dict[str, Any]:
    return {"tool": name, "description": description, "directory": "/home/me/anchor"}


async def connected() -> Target:
    return PretendedRemote({}, {})


async def refused() -> Target:
    raise UnknownHostError("There is no such host.")


async def never() -> Target:
    await asyncio.Event().wait()
    raise AssertionError


def connection(connect: Any) -> Connection:
    return Connection(connect, lambda state, target, error: None)


async def test_the_remotes_facts() -> None:
    told = await Surroundings().prompt(params(), connection(connected), Incoming(1))
    assert told["system"].startswith("<env>\n  Working directory: /srv/project\n  Platform: freebsd\n</env>\n")
    told = await Surroundings().tool(tool(), connection(connected), Incoming(1))
    assert told == {"description": "Be aware: OS: freebsd, Shell: zsh, Remote host: pretended.example"}


@pytest.mark.parametrize("connect", [refused, never])
async def test_without_a_remote(monkeypatch: pytest.MonkeyPatch, connect: Connect) -> None:
    monkeypatch.setattr(surroundings, "CONNECT_SECONDS", 0.05)
    at_hand = connection(connect)
    told = await Surroundings().prompt(params(), at_hand, Incoming(1))
    assert "cannot be reached at the moment" in told["system"]
    assert "/home/me" not in told["system"]
    told = await Surroundings().tool(tool(), at_hand, Incoming(1))
    assert "OS: unknown" in told["description"]
    await at_hand.close()


async def test_a_remote_that_is_not_there_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def wait_for(awaitable: Any, timeout: float) -> Any:
        waits.append(timeout)
        awaitable.close()
        raise TimeoutError

    monkeypatch.setattr(surroundings.asyncio, "wait_for", wait_for)
    asked = Surroundings()
    for _ in range(3):
        await asked.prompt(params(), connection(never), Incoming(1))
    assert waits == [surroundings.CONNECT_SECONDS, surroundings.IMPATIENT_SECONDS, surroundings.IMPATIENT_SECONDS]


async def test_a_silent_remote() -> None:
    told = await Surroundings().prompt(params(instructions=["silent"]), connection(connected), Incoming(1))
    assert "pretended.example, which cannot be reached at the moment" in told["system"]


async def test_unknown_shapes_are_left_alone_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    asked = Surroundings()
    for text in ("You write titles.", UNKNOWN, UNKNOWN):
        assert await asked.prompt(params(text), connection(never), Incoming(1)) == {"system": None}
    assert len([record for record in caplog.records if "unknown shape" in record.message]) == 1


@pytest.mark.parametrize("wrong", [{"system": 1}, {"directory": None}, {"instructions": "x"}, {"instructions": [1]}])
async def test_wrong_parameters(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams):
        await Surroundings().prompt(params(**wrong), connection(connected), Incoming(1))


async def test_a_tool_that_is_none_of_ours() -> None:
    with pytest.raises(InvalidParams):
        await Surroundings().tool(tool(name="task"), connection(connected), Incoming(1))


async def test_over_the_wire() -> None:
    async with Sidecar() as sidecar:
        assert "initialize" in (await sidecar.ask("surroundings.prompt", params()))["error"]["message"]
        await sidecar.initialize()
        assert "/srv/project" in (await sidecar.ask("surroundings.prompt", params()))["result"]["system"]
        assert "pretended.example" in (await sidecar.ask("surroundings.tool", tool(None)))["result"]["description"]
