"""Point 4 of issue 3: what a running command prints is seen while it runs, by whoever draws from the server's events.

No clock: each command waits for a mark on the remote, which the test leaves once it has seen what was printed before.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pybridge.demo.model_server import ToolCall, call, calls, say
from tests.e2e.conftest import LAUNCH, MakeHome, Remote
from tests.e2e.test_badge import PROMPT, opened
from tests.kit.opencode import OpenCodeHome, opencode_binary
from tests.kit.opencode_events import EventStream
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.processes import wait_until_none
from tests.kit.remote_truth import RemoteTruth
from tests.kit.waiting import wait_until

AT_MOST_A_SECOND = 4


@dataclass(frozen=True)
class Serving:
    """A server with a password on a remote folder, and its events."""

    server: OpenCodeServe
    events: EventStream
    truth: RemoteTruth
    folder: str

    def leave(self, mark: str) -> None:
        """Let the command go on that waits for this mark."""
        self.truth.write(f"{self.folder}/{mark}", b"")


@pytest.fixture(
    scope="module",
    params=["PYBRIDGE_OPENCODE", pytest.param("PYBRIDGE_OPENCODE_115", marks=pytest.mark.whole)],
)
def serving(
    request: pytest.FixtureRequest, remote: Remote, truth: RemoteTruth, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    folder = f"{remote.work}/live-output"
    truth.remove(folder)
    truth.make_folder(folder)
    binary = opencode_binary(request.param)
    environment = {"REMOTE_SSH": remote.server.ssh_command, "REMOTE_WORKDIR": folder, "PYBRIDGE_OPENCODE": str(binary)}
    environment["OPENCODE_SERVER_PASSWORD"] = "only for this test"
    home = OpenCodeHome(tmp_path_factory.mktemp("live") / "opencode", binary, environment=environment)
    with OpenCodeServe(home, launcher=LAUNCH) as server, EventStream(server) as events:
        yield Serving(server, events, truth, folder)
    truth.remove(folder)
    assert wait_until_none(home.home) == []


def bash(command: str) -> ToolCall:
    """A call that a slow machine does not cut short."""
    return ToolCall("bash", {"command": command, "description": "d", "timeout": 90_000})


def until(mark: str) -> str:
    """A command that waits for a mark."""
    return f"until [ -e {mark} ]; do sleep 0.05; done"


def ended(serving: Serving, command: str, status: str) -> dict[str, object]:
    """The call's last state, once it has one: all events later than the first of its end say the same."""
    serving.events.wait_state(command, lambda state: state["status"] == status, f"{status} call")
    states = [state["status"] for state in serving.events.states(command)]
    assert set(states[states.index(status) :]) == {status}, states
    return serving.events.states(command)[-1]


def test_4_output_grows_while_the_command_runs(serving: Serving) -> None:
    command = f"echo one; {until('a1')}; echo two >&2; {until('a2')}; echo three"
    server = serving.server
    session = server.session()
    server.start_message(session, [calls(bash(command)), say("done")])
    serving.events.wait_shown(command, "one\n")
    [part] = server.parts(session)  # those who come later see it too
    assert (part["state"]["status"], part["state"]["metadata"]) == ("running", {"output": "one\n"})
    assert part["state"]["input"]["command"] == command
    serving.leave("a1")
    serving.events.wait_shown(command, "one\ntwo\n")
    serving.leave("a2")
    server.wait_idle(session)
    state = ended(serving, command, "completed")
    assert state["output"] == "one\ntwo\nthree\n"
    [used] = server.tools(session)
    assert (used.status, used.text, used.metadata["output"]) == ("completed",) + ("one\ntwo\nthree\n",) * 2
    started = {state["time"]["start"] for state in serving.events.states(command) if state["status"] == "running"}
    assert len(started) == 1


def test_4_a_character_that_comes_in_pieces_is_seen_whole(serving: Serving) -> None:
    command = f"printf 'a\\303'; {until('b1')}; printf '\\251\\360\\237'; {until('b2')}; printf '\\214\\262z'"
    server = serving.server
    session = server.session()
    server.start_message(session, [calls(bash(command)), say("done")])
    for mark, text in (("b1", "a"), ("b2", "aé")):
        serving.events.wait_shown(command, text)
        serving.leave(mark)
    server.wait_idle(session)
    assert ended(serving, command, "completed")["output"] == "aé🌲z"
    assert not [text for text in serving.events.shown(command) if "\ufffd" in text]


@pytest.mark.whole
def test_4_a_few_updates_a_second_and_none_that_shows_nothing_new(serving: Serving) -> None:
    command = "i=0; while [ $i -lt 150 ]; do i=$((i+1)); echo line $i; sleep 0.02; done; sleep 1"
    server = serving.server
    session = server.session()
    server.start_message(session, [calls(bash(command)), say("done")])
    state = serving.events.wait_state(command, lambda state: state["status"] == "completed", "end")
    server.wait_idle(session)  # or the next test's turns would be played to this one
    seconds = (state["time"]["end"] - state["time"]["start"]) / 1000
    outputs = [
        s["metadata"]["output"] for s in serving.events.states(command) if s["status"] == "running" and "metadata" in s
    ]
    assert 2 < len(outputs) <= AT_MOST_A_SECOND * seconds + 2
    assert all(earlier != later for earlier, later in itertools.pairwise(outputs))
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(outputs))


def test_4_calls_at_once_are_shown_apart_those_of_sub_agents_too(serving: Serving) -> None:
    server = serving.server
    commands = [f"echo {name}; {until('c1')}; echo {name} again" for name in ("first", "second")]
    theirs = f"echo third; {until('c1')}; echo third again"
    task = ToolCall("task", {"description": "look", "prompt": "the sub-agent's work", "subagent_type": "general"})
    session = server.session()
    server.model.play([calls(*map(bash, commands), task), say("done")])
    server.model.play_for("the sub-agent's work", [calls(bash(theirs)), say("the sub-agent is done")])
    server.start_message(session, None)
    for name, command in zip(("first", "second", "third"), (*commands, theirs), strict=True):
        serving.events.wait_shown(command, f"{name}\n")
    serving.leave("c1")
    server.wait_idle(session)
    for name, command in zip(("first", "second", "third"), (*commands, theirs), strict=True):
        assert ended(serving, command, "completed")["output"] == f"{name}\n{name} again\n"


def test_4_an_error_and_an_abort_stay_what_they_are(serving: Serving) -> None:
    server = serving.server
    session = server.session()
    failing = f"echo before; {until('d1')}; echo last; exit 3"
    server.start_message(session, [calls(bash(failing)), say("done")])
    serving.events.wait_shown(failing, "before\n")
    serving.leave("d1")
    server.wait_idle(session)
    assert "last\n\nExit code: 3" in str(ended(serving, failing, "error")["error"])

    endless = "while :; do echo on and on; sleep 0.01; done"
    server.start_message(session, [calls(bash(endless)), say("done")])
    serving.events.wait_state(endless, lambda s: "on and on" in s.get("metadata", {}).get("output", ""), "output")
    server.abort(session)
    server.wait_idle(session)
    # A later call, so that whatever the sidecar still had to say of the aborted one has been said.
    server.message(session, [call("bash", command="true", description="d"), say("done")])
    parts = server.parts(session)
    [status] = [part["state"]["status"] for part in parts if part["state"]["input"].get("command") == endless]
    assert status in ("completed", "error"), serving.events.states(endless)
    ended(serving, endless, status)


@pytest.mark.whole
def test_4_the_screen_shows_it_before_the_command_ends(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth
) -> None:
    home = make_home(environment=settings)
    turns = (calls(bash(f"echo seen-$((6*7)); {until('go')}; echo ended-$((7*7))")), say("done"))
    with opened(home, turns) as (terminal, model):
        terminal.wait_for(PROMPT)
        terminal.type("show it")
        terminal.wait_for("show it")
        terminal.type("\r")
        assert "ended-49" not in terminal.wait_for("seen-42")
        truth.write(f"{workdir}/go", b"")
        results = wait_until(lambda: [r for m in model.requests for r in m.tool_results], "result at the model")
        assert results == ["seen-42\nended-49\n"]
