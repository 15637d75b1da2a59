"""REMOTE_TRANSPORT=openssh with the real OpenCode: one login, also where it takes a code typed in the terminal."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from pybridge.demo.model_server import ModelServer, call, say
from tests.e2e.conftest import LAUNCH, MakeHome
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.opencode import OpenCodeHome
from tests.kit.processes import wait_until_none
from tests.kit.remote_truth import RemoteTruth
from tests.kit.sshd import SshServer
from tests.kit.terminal import Terminal

pytestmark = [pytest.mark.whole, pytest.mark.timeout(500)]

START_SECONDS = 180.0
IN_THE_TERMINAL = (
    "import fcntl,os,sys,termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Makes its terminal the one it belongs to, as a person's shell does, and becomes a program."""


def test_the_tools_act_over_the_ssh_of_this_machine(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth, remote
) -> None:
    server: SshServer = remote.server
    before = server.log().count("Accepted publickey")
    home = make_home(environment={**settings, "REMOTE_TRANSPORT": "openssh"})
    run = home.run(
        [
            call("write", filePath=f"{workdir}/new.txt", content="one\ntwo\n"),
            call("edit", filePath=f"{workdir}/new.txt", oldString="two", newString="three"),
            call("bash", command="cat new.txt; echo err >&2; exit 3", description="look"),
            call("grep", pattern="thr"),
            say("done"),
        ],
        launcher=LAUNCH,
    )
    assert run.exit_code == 0, run.stderr
    assert [(use.tool, use.status) for use in run.tools] == [
        ("write", "completed"),
        ("edit", "completed"),
        ("bash", "error"),
        ("grep", "completed"),
    ], run
    assert "one\nthree\nerr\n" in run.tools[2].text
    assert truth.tree(workdir) == {"new.txt": b"one\nthree\n"}
    assert server.log().count("Accepted publickey") == before + 1


def converse(home: OpenCodeHome, file: Path) -> None:
    """Start OpenCode in a terminal, type the code when ssh asks for it, and have the model run a command."""
    turns = (call("bash", command=f"echo here > {file}", description="write"), say("the model is done"))
    with ModelServer(turns) as model:
        home.write_config(model.base_url)
        command = [sys.executable, "-c", IN_THE_TERMINAL, *LAUNCH]
        with Terminal(command, home.variables(home.project), home.project) as terminal:
            terminal.wait_for("Verification code:", seconds=START_SECONDS)
            terminal.type("123456\r")
            terminal.wait_for("Ask anything", seconds=START_SECONDS)
            terminal.type("go on")
            terminal.wait_for("go on")
            terminal.type("\r")
            terminal.wait_for("the model is done", seconds=START_SECONDS)


async def test_a_code_is_typed_once_in_the_terminal_before_opencode_starts(make_home: MakeHome, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    async with EmbeddedServer(
        tmp_path, password="123456", use_password=False, use_interactive=True, prompts=("Verification code: ",)
    ) as server:
        settings = {"REMOTE_SSH": server.ssh_command(), "REMOTE_WORKDIR": str(folder), "REMOTE_TRANSPORT": "openssh"}
        home = make_home(environment=settings)
        await asyncio.to_thread(converse, home, folder / "file")
        assert (folder / "file").read_text() == "here\n"
        assert server.answers == [["123456"]]
        assert server.connections == 1
        assert await asyncio.to_thread(wait_until_none, home.home) == []
