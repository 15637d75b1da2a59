"""Built-in descriptions, corrected."""

from __future__ import annotations

import pytest

from pybridge.tools.surroundings.descriptions import NOWHERE, Where, corrected, guided, planned

WHERE = Where("me@host", "freebsd", "zsh", "/srv/p", "/srv", "/tmp/pybridge-1")
OWN = "Ours."
BASH = """Runs a command.

Be aware: OS: darwin, Shell: {shell}

All commands run in /home/me/anchor by default.

Use `/var/folders/x/opencode` for temporary work outside the workspace. It is there.

Never fill /var/folders/x/opencode.
"""


def bash(where: Where = WHERE, shell: str = "fish") -> str:
    return corrected("bash", BASH.format(shell=shell), "/home/me/anchor", where, own=OWN)


def test_what_is_wrong_for_the_remote_is_replaced() -> None:
    assert bash() == (
        "Runs a command.\n\nBe aware: OS: freebsd, Shell: zsh, Remote host: me@host\n\n"
        "All commands run in /srv/p by default.\n\n"
        "Use `/tmp/pybridge-1` for temporary work outside the workspace. It is there.\n\n"
        "Never fill /tmp/pybridge-1.\n"
    )


def test_without_a_temporary_folder_none_is_named() -> None:
    assert "temporary" not in bash(Where("h", "linux", "sh", "/w", "/w", None))


def test_a_remote_of_which_nothing_is_known() -> None:
    text = bash(NOWHERE)
    assert "OS: unknown, Shell: unknown, Remote host: a host that cannot be reached at the moment" in text
    assert not any(fact in text for fact in ("darwin", "fish", "/home/me", "/var/folders"))


@pytest.mark.parametrize("shell", ["powershell", "pwsh", "cmd"])
def test_a_description_for_another_kind_of_shell_is_ours(shell: str) -> None:
    assert bash(shell=shell) == (
        "This tool acts on the remote host me@host (OS: freebsd, shell: zsh). "
        "Use `/tmp/pybridge-1` there for temporary files.\n\nOurs."
    )


@pytest.mark.parametrize("tool", ["bash", "read", "write"])
def test_an_unknown_shape_gets_a_sentence_in_front(tool: str) -> None:
    text = corrected(tool, "Something new.", "/home/me/anchor", WHERE, own=OWN)
    assert text.startswith("This tool acts on the remote host me@host (OS: freebsd, shell: zsh).")
    assert text.endswith("\n\nSomething new.")


@pytest.mark.parametrize("tool", ["edit", "glob", "grep", "apply_patch"])
def test_what_says_nothing_local_stays_as_it_is(tool: str) -> None:
    assert corrected(tool, "Something new.", "/home/me/anchor", WHERE, own=OWN) == "Something new."


def test_files_are_those_of_the_remote() -> None:
    text = "Reads from the local filesystem."
    assert corrected("read", text, "/a", WHERE, own=OWN) == "Reads from the filesystem of the remote host (me@host)."


def test_the_command_that_writes_instructions_names_the_remote_folder() -> None:
    text = "If `AGENTS.md` is at `/`, change it. A `/` is a slash."
    assert guided(text, "/", WHERE) == "If `AGENTS.md` is at `/srv`, change it. A `/` is a slash."
    assert guided(text, "/", NOWHERE) == "If `AGENTS.md` is at `the project folder`, change it. A `/` is a slash."


@pytest.mark.parametrize(
    "local", ["/home/me/.local/share/opencode", "/home/m e/data/opencode", "home/me/opencode", "/w/.opencode"]
)
def test_a_plan_is_written_on_the_remote(local: str) -> None:
    text = f"Plan.\nYou should create your plan at {local}/plans/17-calm-fox.md using the write tool."
    assert planned(text, WHERE) == (
        "Plan.\nYou should create your plan at /srv/.opencode/plans/17-calm-fox.md using the write tool."
    )
    assert planned(planned(text, WHERE), WHERE) == planned(text, WHERE)
