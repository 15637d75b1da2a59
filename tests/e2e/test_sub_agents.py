"""Sub-agents and parallel calls: what the `task` tool starts works on the remote too, and nothing waits in a queue.

That calls run at the same time is proved without a clock: each waits for a mark on the remote that only the others
leave. One after the other, none but the last could end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pybridge.demo.model_server import ToolCall, call, calls, say
from tests.e2e.conftest import LAUNCH, Remote
from tests.kit.opencode import OpenCodeHome, ToolUse, opencode_binary
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.processes import wait_until_none
from tests.kit.remote_truth import RemoteTruth

ASKS = "touch asked-for"
"""A command that the configuration of these tests asks a permission for."""


@dataclass(frozen=True)
class Serving:
    """A server on a remote folder.

    Args:
        server: it.
        folder: the folder on the remote.
    """

    server: OpenCodeServe
    folder: str

    def children(self, session: str) -> list[str]:
        """The sessions of a session's sub-agents."""
        return [child["id"] for child in self.server.request("GET", f"/session/{session}/children")]


@pytest.fixture(scope="module")
def serving(remote: Remote, truth: RemoteTruth, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = f"{remote.work}/sub-agents"
    truth.make_folder(folder)
    home = OpenCodeHome(
        tmp_path_factory.mktemp("sub-agents") / "opencode",
        opencode_binary(),
        {"permission": {"bash": {"*": "allow", f"{ASKS}*": "ask"}}},
        environment={"REMOTE_SSH": remote.server.ssh_command, "REMOTE_WORKDIR": folder},
    )
    with OpenCodeServe(home, launcher=LAUNCH) as server:
        yield Serving(server, folder)
    truth.remove(folder)
    assert wait_until_none(home.home) == []


@pytest.fixture(autouse=True)
def empty_folder(serving: Serving, truth: RemoteTruth) -> None:
    truth.remove(serving.folder)
    truth.make_folder(serving.folder)


def task(prompt: str, agent: str = "general") -> ToolCall:
    """A call that starts a sub-agent; `prompt` is also the key of its script."""
    return ToolCall("task", {"description": "look", "prompt": prompt, "subagent_type": agent})


def meeting(mark: str, others: list[str]) -> str:
    """A command that leaves a mark in its folder, and ends once all the others are there."""
    waits = "; ".join(f"until [ -e {other} ]; do sleep 0.05; done" for other in others)
    return f"touch {mark}; {waits}; echo {mark} met all"


def bash(command: str) -> ToolCall:
    """A bash call that a slow machine does not cut short."""
    return ToolCall("bash", {"command": command, "description": "d", "timeout": 90_000})


def started(uses: list[ToolUse]) -> list[str]:
    """Ids of the sessions that the task calls started, in the order of the calls."""
    return [use.metadata["sessionId"] for use in uses if use.tool == "task"]


def test_8_a_sub_agent_uses_every_tool_on_the_remote(serving: Serving, truth: RemoteTruth) -> None:
    server, folder = serving.server, serving.folder
    truth.write(f"{folder}/src/a.py", b"first = 1\nsecond = 2\n")
    truth.write(f"{folder}/src/AGENTS.md", b"Rules of the source folder.\n")
    session = server.session()
    server.model.play([calls(task("sub-agent of all tools")), say("the main agent is done")])
    server.model.play_for(
        "sub-agent of all tools",
        [
            call("bash", command='echo "$SSH_CONNECTION" | wc -w; pwd', description="where"),
            call("glob", pattern="**/*.py"),
            call("grep", pattern="sec.nd"),
            call("read", filePath=f"{folder}/src/a.py"),
            call("edit", filePath=f"{folder}/src/a.py", oldString="second = 2", newString="second = 3"),
            call("write", filePath=f"{folder}/new.txt", content="made by a sub-agent\n"),
            say("the sub-agent is done"),
        ],
    )
    (used,) = server.message(session, None)
    assert (used.tool, used.status) == ("task", "completed"), used
    assert "the sub-agent is done" in used.text
    (child,) = started([used])
    assert serving.children(session) == [child]
    bash, glob, grep, read, edit, write = server.tools(child)
    assert bash.text.split() == ["4", folder]
    assert glob.text == f"{folder}/src/a.py"
    assert f"{folder}/src/a.py:\n  Line 2: second = 2" in grep.text
    assert "2: second = 2" in read.text
    assert f"Instructions from: {folder}/src/AGENTS.md\nRules of the source folder." in read.text
    assert (edit.text, write.text) == ("Edit applied successfully.", "Wrote file successfully.")
    assert truth.tree(folder) == {
        "src/a.py": b"first = 1\nsecond = 3\n",
        "src/AGENTS.md": b"Rules of the source folder.\n",
        "new.txt": b"made by a sub-agent\n",
    }
    assert server.model.remaining == 0


@pytest.mark.whole
def test_8_an_exploring_sub_agent_reads_the_remote_and_cannot_change_it(serving: Serving, truth: RemoteTruth) -> None:
    server, folder = serving.server, serving.folder
    truth.write(f"{folder}/kept.txt", b"kept\n")
    session = server.session()
    server.model.play([calls(task("exploring sub-agent", "explore")), say("done")])
    server.model.play_for(
        "exploring sub-agent",
        [
            call("read", filePath=f"{folder}/kept.txt"),
            call("write", filePath=f"{folder}/kept.txt", content="changed\n"),
            say("explored"),
        ],
    )
    (used,) = server.message(session, None)
    (child,) = started([used])
    read, write = server.tools(child)
    assert "1: kept" in read.text
    assert write.tool == "invalid" or write.status == "error", write
    offered = next(request.tools for request in server.model.requests if request.prompt == "exploring sub-agent")
    assert {"bash", "glob", "grep", "read"} <= set(offered)
    assert not {"edit", "write"} & set(offered)
    assert truth.tree(folder) == {"kept.txt": b"kept\n"}


def test_8_a_permission_of_a_sub_agent_is_asked_in_its_own_session(serving: Serving, truth: RemoteTruth) -> None:
    server, folder = serving.server, serving.folder
    session = server.session()
    server.model.play([calls(task("sub-agent that asks")), say("done")])
    server.model.play_for(
        "sub-agent that asks",
        [
            call("bash", command=f"{ASKS}-and-allowed", description="d"),
            call("bash", command=f"{ASKS}-and-rejected", description="d"),
            say("never said: a rejection ends it"),
        ],
    )
    server.start_message(session, None)
    allowed = server.wait_permission()
    (child,) = serving.children(session)
    assert (allowed["sessionID"], allowed["permission"]) == (child, "bash")
    assert allowed["patterns"] == [f"{ASKS}-and-allowed"]
    assert truth.names(folder) == []
    server.reply(allowed["id"], "once")
    rejected = server.wait_permission()
    assert (rejected["sessionID"], rejected["patterns"]) == (child, [f"{ASKS}-and-rejected"])
    server.reply(rejected["id"], "reject")
    server.wait_idle(session)
    first, second = server.tools(child)
    assert (first.status, second.status) == ("completed", "error")
    assert truth.names(folder) == ["asked-for-and-allowed"]


def test_8_parallel_calls_of_one_turn_run_at_the_same_time(serving: Serving, truth: RemoteTruth) -> None:
    server = serving.server
    names = [f"mark-{n}" for n in range(4)]
    turn = calls(*(bash(meeting(name, [n for n in names if n != name])) for name in names))
    used = server.message(server.session(), [turn, say("done")])
    assert sorted(use.text for use in used) == [f"{name} met all\n" for name in names], used
    assert truth.names(serving.folder) == names


@pytest.mark.whole
def test_8_parallel_calls_of_every_tool_are_answered_each_with_its_own(serving: Serving, truth: RemoteTruth) -> None:
    server, folder = serving.server, serving.folder
    numbers = range(6)
    for n in numbers:
        truth.write(f"{folder}/f{n}.txt", f"number {n}\n".encode())
    wanted: list[ToolCall] = []
    for n in numbers:
        wanted.append(ToolCall("read", {"filePath": f"{folder}/f{n}.txt"}))
        wanted.append(ToolCall("grep", {"pattern": f"number {n}"}))
        wanted.append(ToolCall("glob", {"pattern": f"f{n}*"}))
        wanted.append(ToolCall("write", {"filePath": f"{folder}/w{n}.txt", "content": f"written {n}\n"}))
        wanted.append(ToolCall("bash", {"command": f"echo said {n}", "description": "d"}))
    used = server.message(server.session(), [calls(*wanted), say("done")])
    assert len(used) == len(wanted)
    for n in numbers:
        read, grep, glob, write, bash = used[n * 5 : n * 5 + 5]
        assert f"1: number {n}" in read.text
        assert f"{folder}/f{n}.txt:\n  Line 1: number {n}" in grep.text
        assert glob.text == f"{folder}/f{n}.txt"
        assert write.text == "Wrote file successfully."
        assert bash.text == f"said {n}\n"
    assert {name: text for name, text in truth.tree(folder).items() if name.startswith("w")} == {
        f"w{n}.txt": f"written {n}\n".encode() for n in numbers
    }


@pytest.mark.whole
def test_8_edits_of_one_file_in_one_turn_are_all_applied(serving: Serving, truth: RemoteTruth) -> None:
    server, folder = serving.server, serving.folder
    numbers = range(6)
    truth.write(f"{folder}/shared.txt", "".join(f"line {n}\n" for n in numbers).encode())
    wanted = [
        ToolCall("edit", {"filePath": f"{folder}/shared.txt", "oldString": f"line {n}\n", "newString": f"edited {n}\n"})
        for n in numbers
    ]
    used = server.message(server.session(), [calls(*wanted), say("done")])
    assert [use.text for use in used] == ["Edit applied successfully."] * 6, used
    assert truth.read(f"{folder}/shared.txt") == "".join(f"edited {n}\n" for n in numbers).encode()


def test_8_parallel_sub_agents_run_at_the_same_time(serving: Serving, truth: RemoteTruth) -> None:
    server = serving.server
    names = ["mark-a", "mark-b", "mark-c"]
    session = server.session()
    server.model.play([calls(*(task(f"sub-agent of {name}") for name in names)), say("done")])
    for name in names:
        others = [n for n in names if n != name]
        server.model.play_for(f"sub-agent of {name}", [calls(bash(meeting(name, others))), say(f"{name} is done")])
    used = server.message(session, None)
    assert [use.status for use in used] == ["completed"] * 3, used
    for name, use, child in zip(names, used, started(used), strict=True):
        assert f"{name} is done" in use.text
        assert [u.text for u in server.tools(child)] == [f"{name} met all\n"]
    assert sorted(serving.children(session)) == sorted(started(used))
    assert truth.names(serving.folder) == names
