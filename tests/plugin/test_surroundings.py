"""Hooks about what the model is told: descriptions of tools, and the system prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pybridge.sidecar.descriptions import DESCRIPTIONS
from pybridge.tools.arguments import ARGUMENTS
from tests.plugin.kit import TOOLS, Plugin, fake_python, program

LOCAL = "/home/me/anchor"
BASH = "Runs it.\n\nBe aware: OS: linux, Shell: fish\n\nUse `/tmp/opencode` for temporary work outside the workspace.\n"
PROMPT = (
    "You are an agent.\n<env>\n  Working directory: /home/me/anchor\n  Workspace root folder: /\n"
    "  Is directory a git repo: no\n  Platform: linux\n  Today's date: Fri Nov 20 2026\n</env>\nThe end."
)


def built_in(description: str, **parameters: str) -> dict[str, Any]:
    """A built-in tool's definition, with its parameters as OpenCode's own kind of schema."""
    fields = {name: {"ast": {"annotations": {"description": text}}} for name, text in parameters.items()}
    return {"description": description, "parameters": {"fields": fields}}


async def test_ours_gets_what_the_built_in_tool_says(tmp_path: Path) -> None:
    shown = built_in(BASH, command="The very command", unknown="nothing of ours")
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load(directory=LOCAL)
        answer = await plugin.do("definition", name="a", tool="bash", builtIn=shown)
    definition, schema = answer["definition"], ARGUMENTS["bash"].model_json_schema()
    assert definition["description"] == (
        "Runs it.\n\nBe aware: OS: freebsd, Shell: zsh, Remote host: pretended.example\n\n"
        "Use `/tmp/pybridge-temporary` for temporary work outside the workspace.\n"
    )
    schema["properties"]["command"]["description"] = "The very command"
    assert definition["jsonSchema"] == schema
    assert answer["builtIn"] == shown  # it is not what is called: left as it is


async def test_a_later_change_of_the_built_in_description_is_followed(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load(directory=LOCAL)
        for text in ("One.", "One.", "Two."):
            answer = await plugin.do("definition", name="a", tool="glob", builtIn=built_in(text))
            assert answer["definition"]["description"] == text


async def test_without_a_built_in_tool_our_own_description_is_used(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load(directory=LOCAL)
        for tool in TOOLS:
            answer = await plugin.do("definition", name="a", tool=tool)
            assert answer["definition"]["description"].endswith(DESCRIPTIONS[tool])


@pytest.mark.parametrize("schema", [None, {}, {"fields": None}, {"fields": {"command": 1}}, 7])
async def test_an_unknown_kind_of_schema_does_no_harm(tmp_path: Path, schema: object) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load(directory=LOCAL)
        shown = {"description": BASH, "parameters": schema}
        answer = await plugin.do("definition", name="a", tool="bash", builtIn=shown)
        assert answer["definition"]["jsonSchema"] == ARGUMENTS["bash"].model_json_schema()


async def test_the_prompt_has_the_remotes_surroundings(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load(directory=LOCAL)
        assert await plugin.do("system", name="a", system=[PROMPT]) == [
            "You are an agent.\n<env>\n  Working directory: /srv/project\n  Workspace root folder: /srv\n"
            "  Is directory a git repo: yes\n  Platform: freebsd\n  Today's date: Thu Jan 01 1970\n</env>\n"
            "Instructions from: /srv/project/AGENTS.md\nRule.\n\nThe end."
        ]


async def test_other_prompts_are_left_alone(tmp_path: Path) -> None:
    title = "You write titles."
    other = "Mine.\n<env>\n  Folder: /home/me/anchor\n</env>"
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load(directory=LOCAL)
        assert await plugin.do("system", name="a", system=[title, other]) == [title, other]


async def test_a_remote_that_does_not_answer_leaves_no_local_fact(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load(directory=LOCAL)
        [told] = await plugin.do("system", name="a", system=[PROMPT], config={"instructions": ["silent"]})
        assert "pretended.example, which cannot be reached" in told
        assert LOCAL not in told
        assert "linux" not in told


async def test_a_sidecar_that_cannot_start_leaves_no_local_fact(tmp_path: Path) -> None:
    async with Plugin(program(tmp_path, "exit 3")) as plugin:
        await plugin.load(directory=LOCAL)
        [told] = await plugin.do("system", name="a", system=[PROMPT])
        assert told == (
            "You are an agent.\n<env>\n  The project is on a remote host, which cannot be reached at the moment.\n"
            "</env>\nThe end."
        )
        answer = await plugin.do("definition", name="a", tool="bash", builtIn=built_in(BASH))
        assert answer["definition"]["description"] == DESCRIPTIONS["bash"]


async def test_a_sidecar_that_cannot_start_leaves_no_local_instructions(tmp_path: Path) -> None:
    """Those of the folder and above it; the user's own stay, as they do with a sidecar."""
    folder = tmp_path / "above" / "anchor"
    own = tmp_path / "own" / "AGENTS.md"
    for path in (folder, own.parent):
        path.mkdir(parents=True)
    rules = {
        folder / "AGENTS.md": "LOCAL\nInstructions from: nowhere\nrule\n",
        tmp_path / "above" / "CLAUDE.md": "HIGH",
    }
    for path, text in (rules | {own: "mine"}).items():
        path.write_text(text)
    gone = tmp_path / "AGENTS.md"  # no longer there, or changed since
    blocks = [f"Instructions from: {path}\n{text}" for path, text in {**rules, gone: "LOST", own: "mine"}.items()]
    async with Plugin(program(tmp_path, "exit 3")) as plugin:
        await plugin.load(directory=str(folder))
        [told] = await plugin.do("system", name="a", system=["\n".join([PROMPT, *blocks, "<mcp_instructions>"])])
    assert told.endswith(f"</env>\nThe end.\nInstructions from: {own}\nmine\n<mcp_instructions>")


async def test_an_instance_that_may_not_act_on_the_remote_says_what_opencode_says(tmp_path: Path) -> None:
    async with Plugin(fake_python(tmp_path), env={"REMOTE_ANCHOR": str(tmp_path)}) as plugin:
        await plugin.load(directory=LOCAL)
        assert await plugin.do("system", name="a", system=[PROMPT]) == [PROMPT]


async def test_the_command_that_writes_instructions_names_the_remote_folder(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "It is at `/`."}, {"type": "file", "url": "file:///x"}]
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load(directory=LOCAL)
        told = await plugin.do("command", name="a", command="init", parts=parts)
        assert told == [{"type": "text", "text": "It is at `/srv`."}, parts[1]]
        assert await plugin.do("command", name="a", command="other", parts=parts) == parts


async def test_a_reminder_names_a_remote_plan(tmp_path: Path) -> None:
    text = "A plan file exists at /home/me/.local/share/opencode/plans/1-x.md. Go."
    parts = [{"type": "text", "text": text, "synthetic": synthetic} for synthetic in (True, False)]
    async with Plugin(fake_python(tmp_path)) as plugin:
        await plugin.load(directory=LOCAL)
        [message] = await plugin.do("messages", name="a", messages=[{"info": {}, "parts": parts}])
        own = message["parts"][1]["text"]  # what the user wrote is the user's
        assert message["parts"][0]["text"] == "A plan file exists at /srv/.opencode/plans/1-x.md. Go."
        assert own == text
