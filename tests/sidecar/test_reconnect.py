"""Sleeping machines and servers that restart, behind the sidecar as the shim starts it; the badge gets its states."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit import figures
from tests.kit.effort import by_effort
from tests.kit.sshd import SshServer, start_openssh
from tests.kit.stalling_link import StallingLink
from tests.kit.waiting import wait_until
from tests.sidecar.kit import REAL, Sidecar
from tests.sidecar.test_remote import call, grant

CONTEXT = {"sessionID": "s", "messageID": "m", "callID": "c", "agent": "a"}


class Watched(Sidecar):
    """A sidecar whose `status` notifications are kept."""

    def __init__(self, home: Path) -> None:
        super().__init__(REAL, {"HOME": str(home), "USERPROFILE": str(home), "PYBRIDGE_LOG": "debug"})
        self.told: list[dict[str, Any]] = []

    @property
    def states(self) -> list[str]:
        return [status["state"] for status in self.told]

    async def receive(self) -> Any:
        message = await super().receive()
        if message.get("method") == "status":
            self.told.append(message["params"])
        return message

    async def until_state(self, state: str) -> None:
        """Wait for a state of the link."""
        async with asyncio.timeout(60):
            while not self.states or self.states[-1] != state:
                await self.receive()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.txt").write_text("needle\n")
    return folder


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[SshServer]:
    """A server that ends connections whose client says nothing for two seconds."""
    server = start_openssh(tmp_path / "server", ["ClientAliveInterval 1", "ClientAliveCountMax 1"])
    yield server
    server.stop()


def tools(work: Path) -> list[tuple[str, dict[str, Any], str]]:
    """A call of each kind, and what its answer holds."""
    file = str(work / "a.txt")
    every = [
        ("read", {"filePath": file}, "needle"),
        ("glob", {"pattern": "*.txt"}, file),
        ("grep", {"pattern": "needle"}, "Line 1: needle"),
        ("bash", {"command": "echo x >> count; cat count"}, "x\n"),
        ("write", {"filePath": str(work / "new.txt"), "content": "new\n"}, "rote file successfully"),
        ("edit", {"filePath": str(work / "new.txt"), "oldString": "new", "newString": "newer"}, "pplied successfully"),
    ]
    return by_effort([every[0], every[3]], every, every)


async def test_a_call_after_a_suspension_finds_a_new_connection(
    strict: SshServer, home: Path, work: Path, request: pytest.FixtureRequest
) -> None:
    """The process was stopped for longer than the server waits; none of the first calls fails, each is done once."""
    async with Watched(home) as sidecar:
        await sidecar.initialize({"REMOTE_SSH": strict.ssh_command, "REMOTE_WORKDIR": str(work)})
        await call(sidecar, "bash", command="true")
        for tool, args, wanted in tools(work):
            os.kill(sidecar.process.pid, signal.SIGSTOP)
            await asyncio.to_thread(wait_until, lambda: strict.connections() == [], "end of the connections")
            os.kill(sidecar.process.pid, signal.SIGCONT)
            answer = await call(sidecar, tool, **args)
            assert "result" in answer, (tool, answer)
            assert wanted in answer["result"]["output"], (tool, answer)
        status = (await sidecar.ask("status"))["result"]
    assert status["state"] == "ready"
    assert (work / "count").read_text() == "x\n"
    assert not (work / "new.txt").exists() or (work / "new.txt").read_text() == "newer\n"
    assert sidecar.states[0] == "connecting"
    rounds = len(tools(work))
    assert [sidecar.states.count(state) for state in ("lost", "reconnecting")] == [rounds, rounds]
    figures.tell(request, "reconnect", "first call after the local process was suspended", rounds)


async def test_a_server_that_is_killed_and_comes_back(home: Path, work: Path, tmp_path: Path) -> None:
    """What runs gets a true error at once, what is called meanwhile after a few attempts, the next call works."""
    server = start_openssh(tmp_path / "server")
    try:
        async with Watched(home) as sidecar:
            await sidecar.initialize({"REMOTE_SSH": server.ssh_command, "REMOTE_WORKDIR": str(work)})
            args = {"command": "echo said; echo x >> count; sleep 4731"}
            number = await sidecar.begin("tool.call", {"tool": "bash", "args": args, "context": CONTEXT})
            running = asyncio.create_task(grant(sidecar, number))
            await asyncio.to_thread(wait_until, (work / "count").exists, "sign of the command")
            await asyncio.to_thread(server.kill)
            error = (await running)["error"]
            assert error["data"] == {"code": "connection_lost"}
            assert error["message"].startswith("said\n")
            assert "whether it got to its end is not known" in error["message"]
            away = (await call(sidecar, "read", filePath=str(work / "a.txt")))["error"]
            assert away["data"] == {"code": "connection_refused"}
            assert "may be restarting" in away["message"]
            await asyncio.to_thread(server.start_again)
            assert "needle" in (await call(sidecar, "read", filePath=str(work / "a.txt")))["result"]["output"]
            assert "result" in await call(sidecar, "bash", command="echo x >> count")
        assert (work / "count").read_text() == "x\nx\n"
        assert sidecar.states == [
            *("connecting", "ready", "lost", "reconnecting", "failed", "reconnecting", "ready"),
        ]
        [lost] = [status for status in sidecar.told if status["state"] == "lost"]
        assert "was lost" in lost["error"]
        [failed] = [status for status in sidecar.told if status["state"] == "failed"]
        assert "refused the connection" in failed["error"]
    finally:
        server.stop()


@pytest.mark.whole
async def test_a_silent_link_is_told_as_lost_and_as_ready_when_it_is_back(
    openssh: SshServer, home: Path, work: Path
) -> None:
    """Nobody calls; then one that calls while it is silent gets another connection."""
    with StallingLink(openssh) as link:
        command = link.ssh_command.replace(" -p ", " -o ServerAliveInterval=1 -o ServerAliveCountMax=60 -p ")
        async with Watched(home) as sidecar:
            await sidecar.initialize({"REMOTE_SSH": command, "REMOTE_WORKDIR": str(work)})
            await call(sidecar, "bash", command="true")
            link.stall()
            await sidecar.until_state("lost")
            assert "does not answer" in sidecar.told[-1]["error"]
            link.resume()
            await sidecar.until_state("ready")
            link.forsake()
            await sidecar.until_state("lost")
            assert (await call(sidecar, "bash", command="echo back"))["result"]["output"] == "back\n"
        assert sidecar.states[-2:] == ["reconnecting", "ready"]
        assert link.connections == 2
