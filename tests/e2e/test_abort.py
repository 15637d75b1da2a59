"""Every tool aborted, while it waits for its permission and while it works: what OpenCode's own tools would end in,
nothing half done, nothing left running, and the next call works."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pybridge.demo.model_server import MODEL_ID, ToolCall, calls, say
from tests.e2e.conftest import LAUNCH, Remote
from tests.kit.opencode import PATCH_MODEL, OpenCodeHome, opencode_binary
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.processes import wait_until_none
from tests.kit.remote_truth import RemoteTruth
from tests.kit.stalling_link import StallingLink
from tests.kit.waiting import wait_until

OLD, NEW = b"old\n", b"new\n"

CHANGES: dict[str, dict[str, Any]] = {
    "write": {"filePath": "a.txt", "content": "new\n"},
    "edit": {"filePath": "a.txt", "oldString": "old", "newString": "new"},
    "apply_patch": {"patchText": "*** Begin Patch\n*** Update File: a.txt\n@@\n-old\n+new\n*** End Patch"},
}
LOOKS: dict[str, dict[str, Any]] = {
    "read": {"filePath": "a.txt"},
    "glob": {"pattern": "*"},
    "grep": {"pattern": "old"},
}
COMMAND = {"bash": {"command": "echo new > a.txt", "description": "d"}}


@dataclass(frozen=True)
class Stage:
    """What the tests act on.

    Args:
        server: an OpenCode whose tools ask for everything.
        link: its way to the remote.
        folder: the workdir; it holds a.txt with OLD.
        truth: an independent look at it.
    """

    server: OpenCodeServe
    link: StallingLink
    folder: str
    truth: RemoteTruth

    def begin(self, tool: str, arguments: dict[str, Any]) -> str:
        """Have the model make one call, in a session of its own."""
        session = self.server.session()
        model = PATCH_MODEL if tool == "apply_patch" else MODEL_ID
        self.server.start_message(session, [calls(ToolCall(tool, arguments)), say("never said")], model=model)
        return session

    def asked(self, session: str) -> str:
        """Wait for the session's permission request; returns its id."""

        def look() -> list[str]:
            requests = self.server.request("GET", "/permission")
            return [request["id"] for request in requests if request["sessionID"] == session]

        return wait_until(look, "permission request")[0]

    def state(self, session: str) -> dict[str, Any]:
        """How the session's only call stands."""
        parts = self.server.parts(session)
        return parts[0]["state"] if parts else {"status": "none"}

    def aborted(self, session: str) -> dict[str, Any]:
        """Abort the session; returns how its call ended."""
        self.server.abort(session)
        self.server.wait_idle(session)

        def look() -> dict[str, Any] | None:
            state = self.state(session)
            return state if state["status"] in ("completed", "error") else None

        ended = wait_until(look, "end of the call")
        assert ended is not None
        return ended

    def content(self) -> bytes:
        return self.truth.read(f"{self.folder}/a.txt")


@pytest.fixture(scope="module")
def everything(remote: Remote, truth: RemoteTruth, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = f"{remote.work}/test_abort"
    truth.make_folder(folder)
    with StallingLink(remote.server) as link:
        settings = {"REMOTE_SSH": link.ssh_command, "REMOTE_WORKDIR": folder}
        home = OpenCodeHome(
            Path(tmp_path_factory.mktemp("abort")) / "opencode",
            opencode_binary(),
            {"permission": {"*": "ask"}},
            environment=settings,
        )
        with OpenCodeServe(home, launcher=LAUNCH) as server:
            yield Stage(server, link, folder, truth)
    assert wait_until_none(home.home) == []
    truth.remove(folder)


@pytest.fixture
def stage(everything: Stage) -> Iterator[Stage]:
    everything.truth.remove(everything.folder)
    everything.truth.make_folder(everything.folder)
    everything.truth.write(f"{everything.folder}/a.txt", OLD)
    yield everything
    everything.link.resume()
    session = everything.begin("read", LOOKS["read"])
    everything.server.reply(everything.asked(session), "once")
    everything.server.wait_idle(session)
    state = everything.state(session)
    assert state["status"] == "completed", state  # the next call works


def _is_interrupted(state: dict[str, Any]) -> bool:
    """Whether a call ended as OpenCode ends its own that did not end in time."""
    return (state["status"], state["error"], state["metadata"]["interrupted"]) == (
        "error",
        "Tool execution aborted",
        True,
    )


@pytest.mark.parametrize(("tool", "arguments"), (CHANGES | LOOKS | COMMAND).items())
def test_aborted_while_it_waits_for_its_permission(stage: Stage, tool: str, arguments: dict[str, Any]) -> None:
    """An answer that comes too late does nothing; OpenCode keeps the question."""
    session = stage.begin(tool, arguments)
    asked = stage.asked(session)
    state = stage.aborted(session)
    assert _is_interrupted(state), state
    stage.server.reply(asked, "once")
    assert stage.state(session) == state
    assert stage.content() == OLD
    assert stage.truth.names(stage.folder) == ["a.txt"]


@pytest.mark.parametrize(("tool", "arguments"), (CHANGES | LOOKS).items())
def test_aborted_while_the_remote_does_not_answer(stage: Stage, tool: str, arguments: dict[str, Any]) -> None:
    if tool == "read":  # looks before it asks
        stage.link.stall()
        session = stage.begin(tool, arguments)
        wait_until(lambda: stage.state(session)["status"] == "running", "running call")
    else:
        session = stage.begin(tool, arguments)
        asked = stage.asked(session)
        stage.link.stall()
        stage.server.reply(asked, "once")
    state = stage.aborted(session)
    assert _is_interrupted(state), state
    stage.link.resume()
    assert stage.content() in (OLD, NEW)
    assert stage.state(session) == state


def test_an_aborted_command_says_so_and_leaves_nothing_running(stage: Stage) -> None:
    command = f"echo begun; sh -c 'echo $$ > child; while :; do sleep 1; done' & sleep 300; echo {stage.folder}"
    session = stage.begin("bash", {"command": command, "description": "d"})
    stage.server.reply(stage.asked(session), "once")
    wait_until(lambda: "child" in stage.truth.names(stage.folder), "command that runs")
    pid = int(wait_until(lambda: stage.truth.read(f"{stage.folder}/child").strip(), "process id"))
    state = stage.aborted(session)
    if state["status"] == "completed":
        assert state["output"] == "begun\n\n\n<shell_metadata>\nUser aborted the command\n</shell_metadata>"
        assert (state["metadata"]["exit"], state["metadata"]["output"]) == (None, "begun\n")
    else:  # as with OpenCode's own: it waits for a quarter of a second only
        assert _is_interrupted(state), state
    wait_until(lambda: not stage.truth.exists(f"/proc/{pid}"), "end of what the command had started")
