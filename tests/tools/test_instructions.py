"""Instruction files of folders: which are shown, to whom, how often looked for."""

from __future__ import annotations

import pytest

from pybridge.tools.instructions import LoadedInstructions, folders_of, render
from tests.tools.kit import Call, Desk

pytestmark = pytest.mark.unit


def test_the_folders_between_a_file_and_the_workdir() -> None:
    assert folders_of("/w/a/b/f", "/w") == ["/w/a/b", "/w/a"]
    assert folders_of("/w/f", "/w") == []
    assert folders_of("/etc/f", "/w") == []


async def test_the_nearest_comes_first_and_one_a_folder(desk: Desk) -> None:
    desk.host.contents |= {
        "/w/a/CLAUDE.md": b"outer\n",
        "/w/a/b/AGENTS.md": b"inner\n",
        "/w/a/b/CONTEXT.md": b"not this\n",
        "/w/a/b/f": b"x\n",
    }
    result = await desk("read", filePath="a/b/f")
    assert result.metadata["loaded"] == ["/w/a/b/AGENTS.md", "/w/a/CLAUDE.md"]
    assert result.output.endswith(
        "\n\n<system-reminder>\nInstructions from: /w/a/b/AGENTS.md\ninner\n\n\n"
        "Instructions from: /w/a/CLAUDE.md\nouter\n\n</system-reminder>"
    )


async def test_an_instruction_file_is_not_appended_to_itself(desk: Desk) -> None:
    desk.host.contents["/w/a/AGENTS.md"] = b"x\n"
    assert (await desk("read", filePath="a/AGENTS.md")).metadata["loaded"] == []


async def test_a_refused_read_shows_no_instructions_and_does_not_use_them_up(desk: Desk) -> None:
    desk.host.contents |= {"/w/a/AGENTS.md": b"x\n", "/w/a/f": b"x\n"}
    with pytest.raises(Exception, match="rejected"):
        await desk("read", Call(refuse=frozenset({"read"})), filePath="a/f")
    assert (await desk("read", filePath="a/f")).metadata["loaded"] == ["/w/a/AGENTS.md"]


def test_a_folder_without_any_is_looked_at_again_after_a_minute() -> None:
    now = [0.0]
    loaded = LoadedInstructions(lambda: now[0])
    loaded.note_without(["/w/a"])
    assert loaded.to_look_at(Call(), ["/w/a", "/w/b"]) == ["/w/b"]
    now[0] = 60.0
    assert loaded.to_look_at(Call(), ["/w/a"]) == ["/w/a"]


async def test_each_is_shown_once_until_the_conversation_holds_it_no_more(desk: Desk) -> None:
    """As the built-in has it: parallel calls of one message agree among themselves, later ones look at the answers."""
    desk.host.contents |= {"/w/a/AGENTS.md": b"x\n", "/w/a/f": b"x\n", "/w/a/g": b"x\n"}
    shown = ["/w/a/AGENTS.md"]
    assert (await desk("read", filePath="a/f")).metadata["loaded"] == shown
    assert (await desk("read", filePath="a/g")).metadata["loaded"] == []
    holding = Call(message_id="msg_2", instructions=frozenset(shown))
    assert (await desk("read", holding, filePath="a/f")).metadata["loaded"] == []
    compacted = Call(message_id="msg_3")
    assert (await desk("read", compacted, filePath="a/f")).metadata["loaded"] == shown


def test_nothing_is_appended_without_instructions() -> None:
    assert render([]) == ""
