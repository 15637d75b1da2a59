"""OpenCode's system prompt, rewritten line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybridge.tools.instructions import Instruction
from pybridge.tools.surroundings.local_project import LocalProject
from pybridge.tools.surroundings.prompt import Prompt, RemoteSurroundings, states_local_facts

ENV = """<env>
  Working directory: {directory}
  Workspace root folder: /
  Is directory a git repo: no
  Platform: darwin
  Today's date: Fri Nov 20 2026
</env>"""
SKILLS = """Skills provide specialized instructions and workflows for specific tasks.
<available_skills>
  <skill>
    <name>theirs</name>
    <description>
  odd </description>
    <location>{directory}/.opencode/skill/theirs/SKILL.md</location>
  </skill>
  <skill>
    <name>mine</name>
    <location>/home/me/.claude/skills/mine/SKILL.md</location>
  </skill>
</available_skills>"""
REMOTE = RemoteSurroundings("/srv/p/sub", "/srv/p", True, "freebsd", "Sat Nov 21 2026")
REMOTE_ENV = """<env>
  Working directory: /srv/p/sub
  Workspace root folder: /srv/p
  Is directory a git repo: yes
  Platform: freebsd
  Today's date: Sat Nov 21 2026
</env>"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "anchor"
    folder.mkdir()
    return folder


def local(folder: Path, *entries: str) -> LocalProject:
    home = str(folder.parent / "home")
    return LocalProject.of(str(folder), "/", entries, {"OPENCODE_TEST_HOME": home})


def block(path: Path | str, text: str, *, write: bool = True) -> str:
    if write:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    return f"Instructions from: {path}\n{text}"


def parsed(folder: Path, parts: list[str], *entries: str) -> Prompt:
    text = "\n".join(["You are an agent.\nWork.", ENV.format(directory=folder), *parts])
    prompt = Prompt.parse(text, local(folder, *entries))
    assert prompt is not None
    return prompt


def rewritten(folder: Path, parts: list[str], *entries: str, remote: RemoteSurroundings = REMOTE) -> list[str]:
    head, rest = parsed(folder, parts, *entries).rewritten(remote).split(REMOTE_ENV)
    assert head == "You are an agent.\nWork.\n"
    return rest.removeprefix("\n").split("\nInstructions from: ") if rest else []


def test_the_environment_block(folder: Path) -> None:
    assert rewritten(folder, []) == []
    assert rewritten(folder, ["The end."]) == ["The end."]


def test_lines_nobody_knows_stay_unless_they_name_the_folder(folder: Path) -> None:
    env = ENV.format(directory=folder).replace("</env>", f"  Moon: full\n  Cache: {folder}/x\n</env>")
    prompt = Prompt.parse(env, local(folder))
    assert prompt is not None
    assert prompt.rewritten(REMOTE) == REMOTE_ENV.replace("</env>", "  Moon: full\n</env>")


def test_the_block_is_the_one_that_names_the_folder(folder: Path) -> None:
    example = "<env>\n  Working directory: /example\n</env>\n"
    prompt = Prompt.parse(example + ENV.format(directory=folder), local(folder))
    assert prompt is not None
    assert prompt.rewritten(REMOTE) == example + REMOTE_ENV


@pytest.mark.parametrize("text", ["", "You write titles.", "<env>\n  Folder: {directory}\n</env>", "<env>\n", "</env>"])
def test_unknown_shapes_are_not_taken_apart(folder: Path, text: str) -> None:
    assert Prompt.parse(text.format(directory=folder), local(folder)) is None


def test_which_unknown_shapes_are_worth_a_word(folder: Path) -> None:
    project = local(folder)
    assert not states_local_facts("You write titles.", project)
    assert states_local_facts(f"Work in {folder}.", project)
    assert states_local_facts("x\n<env>\n  Folder: /elsewhere\n</env>", project)
    assert states_local_facts("x\nInstructions from: /a\nb", project)


def test_instructions_of_the_folder_go_and_the_users_own_stay(folder: Path) -> None:
    home = folder.parent / "home"
    parts = [
        block(home / ".config/opencode/AGENTS.md", "Global.\n"),
        block(folder / "AGENTS.md", "Local.\n"),
        block(folder.parent / "AGENTS.md", "Local too.\n"),
        block("https://example.com/x.md", "Fetched.\n", write=False),
        SKILLS.format(directory=folder),
    ]
    remote = RemoteSurroundings(
        "/srv/p/sub",
        "/srv/p",
        True,
        "freebsd",
        "Sat Nov 21 2026",
        project=[Instruction("/srv/p/AGENTS.md", "Remote.\n")],
    )
    kept = rewritten(folder, parts, remote=remote)
    assert kept[0] == "Instructions from: " + parts[0].removeprefix("Instructions from: ")
    assert kept[1] == "/srv/p/AGENTS.md\nRemote.\n"
    assert kept[2].startswith("https://example.com/x.md\nFetched.\n\nSkills provide")
    assert "theirs" not in kept[2]
    assert "mine" in kept[2]


def test_a_files_text_may_look_like_a_prompt(folder: Path) -> None:
    tricky = "One.\n\nInstructions from: /home/CLAUDE.md\nSkills provide specialized instructions \n</env>\nEnd.\n"
    assert rewritten(folder, [block(folder / "AGENTS.md", tricky), "Rest."]) == ["Rest."]
    own = folder.parent / "own.md"
    text = f"Own.\nInstructions from: {folder}/AGENTS.md\nStill own.\n"
    assert "\nInstructions from: ".join(rewritten(folder, [block(own, text), "Rest."], str(own))) == (
        f"Instructions from: {own}\n{text}\nRest."
    )


def test_a_file_that_has_changed_since_ends_where_the_next_one_begins(folder: Path) -> None:
    changed = block(folder / "AGENTS.md", "Old.\n").replace("Old", "Older")
    gone = block(folder.parent / "AGENTS.md", "Gone.\nReally.", write=False)
    kept = rewritten(folder, [changed, gone, SKILLS.format(directory=folder)])
    assert len(kept) == 1
    assert kept[0].startswith("Skills provide")


def test_text_that_is_not_utf8_and_a_byte_order_mark(folder: Path) -> None:
    raw = b"\xef\xbb\xbfcaf\xe9\nInstructions from: /x\n"
    (folder / "AGENTS.md").write_bytes(raw)
    shown = f"Instructions from: {folder}/AGENTS.md\ncaf\ufffd\nInstructions from: /x\n"
    assert rewritten(folder, [shown, "Rest."]) == ["Rest."]


def test_entries_keep_their_order(folder: Path) -> None:
    own, other = folder.parent / "own.md", folder.parent / "other" / "z.md"
    parts = [block(own, "Own.\n"), block(folder / "docs/a.md", "Local a.\n"), block(other, "Other.\n")]
    remote = RemoteSurroundings(
        "/srv/p/sub",
        "/srv/p",
        True,
        "freebsd",
        "Sat Nov 21 2026",
        project=[Instruction("/srv/p/AGENTS.md", "Top.\n")],
        entries={"docs/*.md": [Instruction("/srv/p/docs/a.md", "A.\n"), Instruction("/srv/p/AGENTS.md", "Top.\n")]},
    )
    kept = rewritten(folder, parts, str(own), "docs/*.md", str(folder.parent / "other/*.md"), remote=remote)
    assert [text.removeprefix("Instructions from: ") for text in kept] == [
        "/srv/p/AGENTS.md\nTop.\n",
        f"{own}\nOwn.\n",
        "/srv/p/docs/a.md\nA.\n",
        f"{other}\nOther.\n",
    ]


def test_references_the_remote_has(folder: Path) -> None:
    item = "  <reference>\n    <path>{0}</path>\n    <description>one\ntwo</description>\n  </reference>\n"
    section = "Project references.\n<available_references>\n{}</available_references>"
    prompt = parsed(
        folder, [section.format(item.format("/a") + item.format("/b")), block(folder / "AGENTS.md", "L.\n")]
    )
    assert prompt.reference_folders == ["/a", "/b"]
    remote = RemoteSurroundings("/srv/p/sub", "/srv/p", True, "freebsd", "Sat Nov 21 2026", references={"/b": "/srv/b"})
    kept = item.format("/b").replace("<path>/b", "<path>/srv/b")
    assert prompt.rewritten(remote).endswith(f"{REMOTE_ENV}\n{section.format(kept)}")
    assert prompt.rewritten(REMOTE).endswith(REMOTE_ENV)


def test_a_built_in_skill_has_no_place(folder: Path) -> None:
    """OpenCode 1.15.0 shows one in the local folder, where there is none."""
    text = "<available_skills>\n  <skill>\n    <location>{}</location>\n  </skill>\n</available_skills>"
    told = parsed(folder, [text.format(f"file://{folder}/%3Cbuilt-in%3E")]).rewritten(REMOTE)
    assert told.endswith(text.format("&lt;built-in&gt;"))


def test_without_the_remote_no_local_fact_is_left(folder: Path) -> None:
    parts = [block(folder / "AGENTS.md", "Local.\n"), SKILLS.format(directory=folder)]
    told = parsed(folder, parts).without_remote("me@host")
    assert "me@host, which cannot be reached" in told
    assert all(fact not in told for fact in (str(folder), "darwin", "Nov 20", "Local.", "git repo: no"))
