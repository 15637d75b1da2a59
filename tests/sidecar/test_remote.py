"""The sidecar as the shim starts it, with a real SSH server behind it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from tests.kit.sshd import SshServer
from tests.sidecar.kit import REAL, Sidecar


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def env(openssh: SshServer, tmp_path: Path, work: Path) -> dict[str, str]:
    return {"REMOTE_SSH": openssh.ssh_command, "REMOTE_WORKDIR": str(work)}


@pytest.fixture
def local_home(tmp_path: Path) -> dict[str, str]:
    """A home folder for what the sidecar keeps locally."""
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "USERPROFILE": str(home), "PYBRIDGE_LOG": "debug"}


async def grant(sidecar: Sidecar, number: int) -> dict[str, Any]:
    """Answer every permission request with yes until the call answers."""
    while True:
        message = await sidecar.receive()
        if message.get("method") == "permission.ask":
            await sidecar.send(b'{"jsonrpc":"2.0","id":%d,"result":{}}\n' % message["id"])
        elif "method" not in message:
            assert message["id"] == number
            return message


async def call(sidecar: Sidecar, tool: str, **args: Any) -> dict[str, Any]:
    context = {"sessionID": "s", "messageID": "m", "callID": "c", "agent": "a"}
    return await grant(sidecar, await sidecar.begin("tool.call", {"tool": tool, "args": args, "context": context}))


async def test_every_tool_acts_on_the_remote(env: dict[str, str], local_home: dict[str, str], work: Path) -> None:
    async with Sidecar(REAL, local_home) as sidecar:
        await sidecar.initialize(env)
        answer = await call(sidecar, "bash", command="pwd; echo grün; echo bad >&2")
        assert answer["result"]["output"].splitlines() == [str(work), "grün", "bad"]
        await call(sidecar, "write", filePath=str(work / "a.txt"), content="one\ntwo\n")
        assert (work / "a.txt").read_text() == "one\ntwo\n"
        assert "2: two" in (await call(sidecar, "read", filePath=str(work / "a.txt")))["result"]["output"]
        await call(sidecar, "edit", filePath=str(work / "a.txt"), oldString="two", newString="three")
        assert (work / "a.txt").read_text() == "one\nthree\n"
        assert str(work / "a.txt") in (await call(sidecar, "glob", pattern="*.txt"))["result"]["output"]
        assert "Line 2: three" in (await call(sidecar, "grep", pattern="thr.e"))["result"]["output"]
        patch = f"*** Begin Patch\n*** Update File: {work}/a.txt\n@@\n one\n-three\n+four\n*** End Patch"
        await call(sidecar, "apply_patch", patchText=patch)
        assert (work / "a.txt").read_text() == "one\nfour\n"
        status = (await sidecar.ask("status"))["result"]
        assert (status["state"], status["workdir"]) == ("ready", str(work))


async def test_bad_arguments_are_refused_as_the_built_in_refuses_them(
    env: dict[str, str], local_home: dict[str, str]
) -> None:
    async with Sidecar(REAL, local_home) as sidecar:
        await sidecar.initialize(env)
        error = (await call(sidecar, "read", path="x"))["error"]
        assert error["data"] == {"code": "tool_arguments"}
        assert error["message"].startswith("The read tool was called with invalid arguments:")
        assert "There is no tool" in (await call(sidecar, "shell", command="x"))["error"]["message"]


async def test_a_cancel_kills_the_remote_command(env: dict[str, str], local_home: dict[str, str], work: Path) -> None:
    async with Sidecar(REAL, local_home) as sidecar:
        await sidecar.initialize(env)
        context = {"sessionID": "s", "messageID": "m", "callID": "c", "agent": "a"}
        args = {"command": "echo $$ > pid; sleep 600"}
        number = await sidecar.begin("tool.call", {"tool": "bash", "args": args, "context": context})
        answering = asyncio.create_task(grant(sidecar, number))
        pid = await asyncio.wait_for(_written(work / "pid"), 30)
        await sidecar.notify("$/cancel", {"id": number})
        assert "User aborted the command" in (await answering)["result"]["output"]
        await asyncio.wait_for(_gone(pid), 30)


@pytest.mark.parametrize("how", ["eof", "SIGTERM"])
@pytest.mark.parametrize("stubborn", [False, True])
async def test_running_commands_end_with_the_sidecar(
    env: dict[str, str], local_home: dict[str, str], work: Path, how: str, stubborn: bool
) -> None:
    async with Sidecar(REAL, local_home) as sidecar:
        await sidecar.initialize(env)
        context = {"sessionID": "s", "messageID": "m", "callID": "c", "agent": "a"}
        args = {"command": ("trap '' TERM; " if stubborn else "") + "echo $$ > pid; sleep 600; sleep 600"}
        number = await sidecar.begin("tool.call", {"tool": "bash", "args": args, "context": context})
        answering = asyncio.create_task(grant(sidecar, number))
        pid = await asyncio.wait_for(_written(work / "pid"), 30)
        if how == "eof":
            await sidecar.end()
        else:
            sidecar.process.terminate()
        await asyncio.wait_for(_gone(pid), 30)
        answering.cancel()


async def test_what_failed_is_said_and_mended_without_a_restart(
    env: dict[str, str], local_home: dict[str, str], work: Path
) -> None:
    work.rmdir()
    async with Sidecar(REAL, local_home) as sidecar:
        await sidecar.initialize(env)
        error = (await call(sidecar, "bash", command="pwd"))["error"]
        assert error["data"] == {"code": "file_missing"}
        assert str(work) in error["message"]
        work.mkdir()
        assert (await call(sidecar, "bash", command="pwd"))["result"]["output"].strip() == str(work)


async def test_an_unknown_host_key_is_refused(openssh: SshServer, local_home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    async with Sidecar(REAL, local_home) as sidecar:
        await sidecar.initialize({"REMOTE_SSH": openssh.ssh_command_with(known_hosts=tmp_path / "empty")})
        assert (await call(sidecar, "bash", command="pwd"))["error"]["data"] == {"code": "host_key_unknown"}


async def _written(path: Path) -> int:
    while not path.exists() or not (text := path.read_text().strip()):
        await asyncio.sleep(0.02)
    return int(text)


async def _gone(pid: int) -> None:
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.02)
