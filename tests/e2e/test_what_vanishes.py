"""What goes away while OpenCode works: its sidecar, the local folder of the session, the folder on the remote."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybridge.demo.model_server import ToolCall, call, calls, say
from tests.e2e.conftest import LAUNCH, MakeHome, Remote
from tests.kit.opencode import OpenCodeHome, opencode_binary
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.processes import wait_until_none, with_home
from tests.kit.remote_truth import RemoteTruth
from tests.kit.waiting import wait_until

PWD = call("bash", command="pwd", description="d")
LONG = "echo $$ > pid.new; mv pid.new pid; sleep 4714; touch survived"
"""A command that runs until it is ended, its process id in a file."""

UNKNOWN = "Whether the call took effect is unknown, in whole or in part."


@dataclass(frozen=True)
class Serving:
    """A server on a remote folder, and an independent look at that.

    Args:
        server: it.
        home: where it runs.
        folder: the folder on the remote.
        truth: what is really there.
    """

    server: OpenCodeServe
    home: OpenCodeHome
    folder: str
    truth: RemoteTruth

    @property
    def anchor(self) -> Path:
        """The local folder of its sessions."""
        return Path(self.server.request("GET", "/path")["directory"])

    def sidecars(self) -> list[int]:
        """Process ids of the sidecars."""
        return [running.pid for running in with_home(self.home.home) if "pybridge.sidecar" in running.command]

    def kill_sidecar(self) -> None:
        """As the kernel does when memory is short: nothing is told to anybody."""
        (pid,) = self.sidecars()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pid not in self.sidecars(), "end of the sidecar")

    def wait_for(self, name: str) -> None:
        """Wait for a file on the remote."""
        wait_until(lambda: name in self.truth.names(self.folder), f"file {name} on the remote")

    def runs(self) -> bool:
        """Whether LONG still runs on the remote."""
        return self.truth.run(f"kill -0 $(cat {self.folder}/pid) 2>/dev/null && echo yes || true") == "yes\n"


@pytest.fixture(scope="module")
def serving(remote: Remote, truth: RemoteTruth, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = f"{remote.work}/vanishing"
    truth.make_folder(folder)
    home = OpenCodeHome(
        tmp_path_factory.mktemp("vanishing") / "opencode",
        opencode_binary(),
        # The same call again and again is what these tests are made of.
        {"permission": {"bash": {"*": "allow", "touch asked-for*": "ask"}, "doom_loop": "allow"}},
        environment={"REMOTE_SSH": remote.server.ssh_command, "REMOTE_WORKDIR": folder},
    )
    with OpenCodeServe(home, launcher=LAUNCH) as server:
        yield Serving(server, home, folder, truth)
    truth.remove(folder)
    assert wait_until_none(home.home) == []


@pytest.fixture(autouse=True)
def empty_folder(request: pytest.FixtureRequest, truth: RemoteTruth) -> None:
    if "serving" in request.fixturenames:
        serving: Serving = request.getfixturevalue("serving")
        truth.remove(serving.folder)
        truth.make_folder(serving.folder)


def test_a_sidecar_killed_between_two_calls_is_started_again_once(serving: Serving) -> None:
    server, session = serving.server, serving.server.session()
    for _ in range(3):
        (use,) = server.message(session, [PWD, say("done")])
        assert use.text == f"{serving.folder}\n"
        serving.kill_sidecar()
    used = server.message(session, [calls(*PWD.calls * 4), say("done")])
    assert [use.text for use in used] == [f"{serving.folder}\n"] * 4
    assert len(serving.sidecars()) == 1


def test_a_sidecar_killed_during_a_call_leaves_the_truth_and_no_command(serving: Serving) -> None:
    """The outcome is unknown, and said to be; the command does not run on; the next call of the same turn works."""
    server, session = serving.server, serving.server.session()
    server.start_message(session, [call("bash", command=LONG, description="d"), PWD, say("done")])
    serving.wait_for("pid")
    assert serving.runs()
    serving.kill_sidecar()
    server.wait_idle(session)
    killed, after = server.tools(session)
    assert killed.status == "error"
    assert "was killed by SIGKILL" in killed.text
    assert UNKNOWN in killed.text
    assert after.text == f"{serving.folder}\n"
    wait_until(lambda: not serving.runs(), "end of the command on the remote")
    assert "survived" not in serving.truth.names(serving.folder)


def test_a_sidecar_killed_while_sub_agents_run_fails_their_calls_and_no_more(serving: Serving) -> None:
    server, session = serving.server, serving.server.session()
    names = ["one", "two"]
    tasks = [
        ToolCall("task", {"description": "d", "prompt": f"agent {name}", "subagent_type": "general"}) for name in names
    ]
    server.model.play([calls(*tasks), PWD, say("done")])
    for name in names:
        waiting = call("bash", command=f"touch begun-{name}; sleep 4714", description="d")
        server.model.play_for(f"agent {name}", [waiting, PWD, say(f"{name} went on")])
    server.start_message(session, None)
    for name in names:
        serving.wait_for(f"begun-{name}")
    serving.kill_sidecar()
    server.wait_idle(session)
    *agents, after = server.tools(session)
    for name, agent in zip(names, agents, strict=True):
        assert f"{name} went on" in agent.text
        killed, went_on = server.tools(agent.metadata["sessionId"])
        assert killed.status == "error"
        assert UNKNOWN in killed.text
        assert went_on.text == f"{serving.folder}\n"
    assert after.text == f"{serving.folder}\n"
    assert len(serving.sidecars()) == 1


def test_a_sidecar_killed_while_a_permission_is_asked_does_nothing(serving: Serving) -> None:
    server, session = serving.server, serving.server.session()
    server.start_message(session, [call("bash", command="touch asked-for", description="d"), PWD, say("done")])
    asked = server.wait_permission()
    serving.kill_sidecar()
    server.wait_idle(session)
    killed, after = server.tools(session)
    assert (killed.status, after.text) == ("error", f"{serving.folder}\n")
    assert serving.truth.names(serving.folder) == []
    # Whoever answers the question all the same starts nothing by it.
    if any(left["id"] == asked["id"] for left in server.request("GET", "/permission")):
        server.reply(asked["id"], "once")
    (use,) = server.message(session, [call("bash", command="ls", description="d"), say("done")])
    assert use.text == "(no output)"


def test_the_tools_do_not_need_the_local_folder(serving: Serving) -> None:
    """Not even to start the sidecar again: its working folder may be gone."""
    server, anchor = serving.server, serving.anchor
    session = server.session()
    server.message(session, [PWD, say("done")])
    shutil.rmtree(anchor)
    try:
        serving.kill_sidecar()
        write, bash = server.message(
            session,
            [
                call("write", filePath=f"{serving.folder}/new.txt", content="made\n"),
                call("bash", command="pwd; cat new.txt", description="d"),
                say("done"),
            ],
        )
        assert write.text == "Wrote file successfully."
        assert bash.text == f"{serving.folder}\nmade\n"
        assert not anchor.exists()
    finally:
        anchor.mkdir(mode=0o700, exist_ok=True)


def test_a_remote_folder_that_is_gone_is_said_by_each_tool_and_used_again_when_it_is_back(serving: Serving) -> None:
    server, folder, truth = serving.server, serving.folder, serving.truth
    session = server.session()
    truth.write(f"{folder}/a.txt", b"one\n")
    server.message(session, [call("read", filePath=f"{folder}/a.txt"), say("done")])
    truth.run(f"mv {folder} {folder}-away")
    try:
        used = server.message(
            session,
            [
                PWD,
                call("read", filePath=f"{folder}/a.txt"),
                call("glob", pattern="*"),
                call("grep", pattern="one"),
                call("write", filePath=f"{folder}/a.txt", content="x"),
                call("edit", filePath=f"{folder}/a.txt", oldString="one", newString="two"),
                say("done"),
            ],
        )
        assert [use.status for use in used] == ["error"] * 6, used
        for use in used:
            assert f"The folder {folder}, in which this session works, does not exist" in use.text
            assert "the tools work again" in use.text
        assert not truth.exists(folder)
        serving.kill_sidecar()  # a new connection finds it out by itself
        (use,) = server.message(session, [PWD, say("done")])
        assert use.status == "error"
        assert f"The folder {folder} does not exist on the remote." in use.text
        assert not truth.exists(folder)
    finally:
        truth.run(f"rmdir {folder} 2>/dev/null; mv {folder}-away {folder}")
    edit, bash = server.message(
        session,
        [
            call("edit", filePath=f"{folder}/a.txt", oldString="one", newString="two"),
            call("bash", command="cat a.txt", description="d"),
            say("done"),
        ],
    )
    assert (edit.text, bash.text) == ("Edit applied successfully.", "two\n")


@pytest.mark.whole
@pytest.mark.timeout(400)
def test_the_launcher_makes_the_local_folder_again_for_a_session_to_be_continued(
    make_home: MakeHome, settings: dict[str, str], workdir: str
) -> None:
    home = make_home(environment=settings)
    first = home.run([PWD, say("done")], launcher=LAUNCH, prompt="the first prompt")
    assert first.only.text == f"{workdir}\n"
    (anchor,) = (home.home / ".opencode" / "remote-sessions").iterdir()
    for how in (["--continue"], ["--session", first.session]):
        shutil.rmtree(anchor)
        again = home.run([PWD, say("done")], launcher=LAUNCH, arguments=how, prompt="another prompt")
        assert again.only.text == f"{workdir}\n", again
        assert again.session == first.session
        assert again.requests[0].prompt == '"the first prompt"'
        assert anchor.is_dir()
