"""What the model is told of where it works: of the remote, and of this machine only what is the user's own."""

from __future__ import annotations

import json
import re
import shlex
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybridge.demo.model_server import ModelRequest, ToolCall, Turn, calls, say
from pybridge.tools.arguments import ARGUMENTS
from tests.e2e.conftest import LAUNCH, MakeHome, Remote
from tests.e2e.test_never_local import anchor_of
from tests.kit.opencode import OpenCodeHome, opencode_binary
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.processes import wait_until_none
from tests.kit.remote_truth import RemoteTruth
from tests.kit.waiting import wait_until

SKILL = "---\nname: {name}\ndescription: Skill of {name}\n---\nbody\n"
TEMPORARY = re.compile(r"Use `([^`]+)` for temporary work")


@dataclass(frozen=True)
class Serving:
    """A server on a remote folder.

    Args:
        server: it.
        top: the git work tree on the remote.
        folder: the folder on the remote, below `top`.
        own: local folder with the user's own files.
        anchor: the local folder that stands for `folder`.
    """

    server: OpenCodeServe
    top: str
    folder: str
    own: Path
    anchor: Path

    def ask(self, *turns: Turn, agent: str = "build") -> list[ModelRequest]:
        """Send one message in a new session; what reached the model."""
        session = self.server.session()
        self.server.model.play([*turns, say("done")])
        body = {
            "agent": agent,
            "model": {"providerID": "scripted", "modelID": "scripted"},
            "parts": [{"type": "text", "text": "Go."}],
        }
        self.server.request("POST", f"/session/{session}/message", body)
        return self.server.model.requests

    def env(self, request: ModelRequest) -> dict[str, str]:
        """The environment block."""
        lines = request.system.split("\n<env>\n")[1].split("\n</env>")[0].splitlines()
        return dict(line.strip().split(": ", 1) for line in lines)


@pytest.fixture(
    scope="module",
    params=["PYBRIDGE_OPENCODE", pytest.param("PYBRIDGE_OPENCODE_115", marks=pytest.mark.whole)],
    ids=["1.18.33", "1.15.0"],
)
def serving(
    request: pytest.FixtureRequest, remote: Remote, truth: RemoteTruth, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    top = f"{remote.work}/surroundings"
    folder = f"{top}/service"
    truth.remove(top)
    truth.make_folder(folder)
    truth.run(f"git init -q {shlex.quote(top)}")
    truth.make_folder(f"{top}/libs")
    for path, content in {
        f"{top}/AGENTS.md": "Rule of the top.\n",
        f"{folder}/AGENTS.md": "Règle du service.\n\nInstructions from: nobody\n",
        f"{folder}/CLAUDE.md": "Not shown: there is an AGENTS.md.\n",
        f"{top}/docs/rules.md": "One rule of the docs.\n",
        f"{folder}/notes/b.md": "Note b.\n",
        f"{folder}/notes/AGENTS.md": "Note of agents.\n",
        f"{folder}/notes/file.txt": "text\n",
        f"{folder}/deep/AGENTS.md": "Rule of the deep.\n",
        f"{folder}/deep/file.txt": "text\n",
    }.items():
        truth.write(path, content.encode())
    base = tmp_path_factory.mktemp("surroundings")
    own = base / "own"
    own.mkdir()
    (own / "own.md").write_text("An own rule.\n")
    config = {
        "instructions": ["docs/rules.md", "notes/*.md", "~/mine.md", str(own / "own.md")],
        "agent": {"terse": {"prompt": "Answer in one word.", "mode": "primary"}},
    }
    if request.param == "PYBRIDGE_OPENCODE":
        described = [("gone", base / "gone"), ("there", Path(f"{top}/libs"))]
        config["references"] = {name: {"path": str(path), "description": "d"} for name, path in described}
    home = OpenCodeHome(
        base / "opencode",
        opencode_binary(request.param),
        config,
        environment={"REMOTE_SSH": remote.server.ssh_command, "REMOTE_WORKDIR": folder},
    )
    anchor = anchor_of(home)
    (home.config_folder / "AGENTS.md").write_text("The global rule.\n")
    (home.home / "mine.md").write_text("Mine.\n")
    (home.home / "AGENTS.md").write_text("LOCAL rule of the home folder.\n")
    (anchor / "AGENTS.md").write_text("LOCAL rule.\n\nInstructions from: /etc/else\nLOCAL still.\n")
    (anchor / "docs").mkdir()
    (anchor / "docs" / "rules.md").write_text("LOCAL docs.\n")
    skills = {"local-skill": anchor / ".opencode" / "skill", "own-skill": home.home / ".claude" / "skills"}
    for name, place in skills.items():
        (place / name).mkdir(parents=True)
        (place / name / "SKILL.md").write_text(SKILL.format(name=name))
    with OpenCodeServe(home, launcher=LAUNCH) as server:
        serving = Serving(server, top, folder, own, anchor)
        wait_until(lambda: "Note b." in serving.ask()[0].system, "connection")  # a slow machine's first prompt has none
        yield serving
    truth.remove(top)
    assert wait_until_none(home.home) == []


def test_the_prompt_has_the_remotes_surroundings(serving: Serving, truth: RemoteTruth) -> None:
    [request] = serving.ask()
    assert serving.env(request) == {
        "Working directory": serving.folder,
        "Workspace root folder": serving.top,
        "Is directory a git repo": "yes",
        "Platform": "linux",
        "Today's date": truth.run("LC_ALL=C date '+%a %b %d %Y'").strip(),
    }
    loaded = re.findall(r"^Instructions from: (/.*)\n(.*)", request.system, re.MULTILINE)
    assert [(path.replace(str(serving.own.parent), "~"), text) for path, text in loaded] == [
        ("~/opencode/home/.config/opencode/AGENTS.md", "The global rule."),
        (f"{serving.folder}/AGENTS.md", "Règle du service."),
        (f"{serving.top}/AGENTS.md", "Rule of the top."),
        (f"{serving.top}/docs/rules.md", "One rule of the docs."),
        (f"{serving.folder}/notes/AGENTS.md", "Note of agents."),
        (f"{serving.folder}/notes/b.md", "Note b."),
        ("~/opencode/home/mine.md", "Mine."),
        ("~/own/own.md", "An own rule."),
    ]


@pytest.mark.parametrize("agent", ["build", "plan"])
def test_nothing_of_the_local_folder_is_left(serving: Serving, agent: str) -> None:
    [request] = serving.ask(agent=agent)
    everything = json.dumps(request.body)
    assert str(serving.anchor) not in everything
    assert "LOCAL" not in everything
    assert "local-skill" not in request.system
    assert "own-skill" in request.system


def test_references_are_those_the_remote_has(serving: Serving) -> None:
    [request] = serving.ask()
    assert "<name>gone</name>" not in request.system
    if "<available_references>" in request.system:  # a later OpenCode than 1.15.0
        assert f"<path>{serving.top}/libs</path>" in request.system


def test_sub_agents_and_own_agents_are_told_the_same(serving: Serving) -> None:
    task = ToolCall("task", {"description": "look", "prompt": "Look.", "subagent_type": "general"})
    first, inner, _ = serving.ask(calls(task), say("looked"))
    [own] = serving.ask(agent="terse")
    assert own.system.startswith("Answer in one word.")
    assert serving.env(first) == serving.env(inner) == serving.env(own)
    assert serving.env(own)["Working directory"] == serving.folder
    assert "LOCAL" not in inner.system + own.system


def test_the_command_that_writes_instructions_is_about_the_remote(serving: Serving) -> None:
    server = serving.server
    server.model.play([say("done")])
    body = {"command": "init", "arguments": "", "model": "scripted/scripted"}
    server.request("POST", f"/session/{server.session()}/command", body)
    [request] = server.model.requests
    assert f"already exists at `{serving.top}`" in json.dumps(request.messages)


def test_a_title_is_asked_for_as_ever(serving: Serving) -> None:
    serving.ask()
    [title] = wait_until(lambda: serving.server.model.title_requests, "request for a title")
    assert title.system
    assert serving.folder not in title.system


def test_a_changed_rule_is_told_to_the_next_prompt(serving: Serving, truth: RemoteTruth) -> None:
    truth.write(f"{serving.top}/AGENTS.md", b"Another rule of the top.\n")
    try:
        wait_until(lambda: "Another rule of the top." in serving.ask()[0].system, "new rule")
    finally:
        truth.write(f"{serving.top}/AGENTS.md", b"Rule of the top.\n")


def test_what_the_prompt_holds_is_not_told_again_on_read(serving: Serving) -> None:
    paths = [f"{serving.folder}/{name}/file.txt" for name in ("deep", "notes")]
    _, answered = serving.ask(calls(*(ToolCall("read", {"filePath": path}) for path in paths)))
    deep, notes = answered.tool_results
    assert "Rule of the deep." in deep
    assert "Note of agents." not in notes


def test_descriptions_are_opencodes_own_and_true_for_the_remote(serving: Serving) -> None:
    [request] = serving.ask()
    bash, read = request.tools["bash"]["description"], request.tools["read"]["description"]
    assert bash.startswith("Executes a given bash command")
    assert re.search(
        r"^Be aware: OS: linux, Shell: (bash|sh|zsh), Remote host: \S+@127\.0\.0\.1:\d+$", bash, re.MULTILINE
    )
    assert "/tmp/opencode" not in bash
    assert "from the filesystem of the remote host" in read
    assert "local filesystem" not in json.dumps(request.body["tools"])
    for name in ("bash", "edit", "glob", "grep", "read", "write"):
        schema = ARGUMENTS[name].model_json_schema()
        offered = request.tools[name]["parameters"]
        assert offered["required"] == schema["required"]
        assert list(offered["properties"]) == list(schema["properties"])
    assert request.tools["bash"]["parameters"]["properties"]["command"] == {
        "type": "string",
        "description": "The command to execute",
    }


def test_the_temporary_folder_is_there_when_it_is_used(serving: Serving, truth: RemoteTruth) -> None:
    [request] = serving.ask()
    found = TEMPORARY.search(request.tools["bash"]["description"])
    assert found
    folder = found[1]
    uses = [
        ToolCall("bash", {"command": f"stat -c '%a %U' {folder}; touch {folder}/touched", "workdir": folder}),
        ToolCall("write", {"filePath": f"{folder}/sub/made.txt", "content": "made\n"}),
        ToolCall("read", {"filePath": f"{folder}/sub/made.txt"}),
    ]
    # In turn: no permission is asked for, or no answer would ever come.
    last = serving.ask(*(calls(use) for use in uses))[-1]
    assert last.tool_results[0].startswith("700 ")
    assert "Wrote file successfully" in last.tool_results[1]
    assert "1: made" in last.tool_results[2]
    assert sorted(truth.names(folder)) == ["sub", "touched"]


@pytest.mark.whole
def test_the_temporary_folder_goes_with_opencode(
    make_home: MakeHome, settings: dict[str, str], truth: RemoteTruth
) -> None:
    home = make_home(environment=settings)
    with OpenCodeServe(home, launcher=LAUNCH) as server:
        session = server.session()

        def told() -> re.Match[str] | None:
            server.message(session, [say("done")])
            return TEMPORARY.search(server.model.requests[0].tools["bash"]["description"])

        found = wait_until(told, "temporary folder")
        assert found
        assert not truth.exists(found[1])
        [use] = server.message(session, [calls(ToolCall("bash", {"command": f"touch {found[1]}/x"})), say("done")])
        assert use.status == "completed", use
        assert truth.exists(found[1])
        server.request("POST", "/instance/dispose")
        wait_until(lambda: not truth.exists(found[1]), "removal")


@pytest.mark.whole
def test_a_plan_is_written_on_the_remote(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth
) -> None:
    """In the experimental plan mode: elsewhere the plan is no file."""
    home = make_home(environment={**settings, "OPENCODE_EXPERIMENTAL_PLAN_MODE": "1"})
    with OpenCodeServe(home, launcher=LAUNCH) as server:
        session = server.session()
        body = {
            "agent": "plan",
            "model": {"providerID": "scripted", "modelID": "scripted"},
            "parts": [{"type": "text", "text": "Go."}],
        }

        def told() -> re.Match[str] | None:
            server.model.play([say("done")])
            server.request("POST", f"/session/{session}/message", body)
            said = json.dumps(server.model.requests[0].messages)
            return re.search(rf"create your plan at ({re.escape(workdir)}/\.opencode/plans/\S+\.md) using", said)

        found = wait_until(told, "plan on the remote")
        assert found
        server.model.play([calls(ToolCall("write", {"filePath": found[1], "content": "plan\n"})), say("done")])
        server.request("POST", f"/session/{session}/message", body)
        assert truth.read(found[1]) == b"plan\n"


@pytest.mark.whole
def test_a_remote_that_cannot_be_reached_is_said_to_be_so(make_home: MakeHome) -> None:
    """The prompt goes out all the same, without a fact of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    home = make_home(environment={"REMOTE_SSH": f"-F none -p {port} nobody@127.0.0.1", "REMOTE_WORKDIR": "/srv/work"})
    anchor = anchor_of(home)
    (anchor / "AGENTS.md").write_text("LOCAL rule.\n")
    run = home.run([say("done")], launcher=LAUNCH)
    assert run.texts == ["done"], run
    [request] = run.requests
    assert "cannot be reached at the moment" in request.system
    assert str(anchor) not in json.dumps(request.body)
    assert "LOCAL" not in request.system
    assert "linux" not in request.system.split("<env>")[1].split("</env>")[0]
    assert "OS: unknown, Shell: unknown" in request.tools["bash"]["description"]
