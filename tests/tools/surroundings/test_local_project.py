"""Which files of this machine are a project's, and which the user's own."""

from __future__ import annotations

import pytest

from pybridge.tools.surroundings.local_project import LocalProject

HOME = "/home/me"
ANCHOR = "/home/me/.opencode/remote-sessions/host_project"


def project(
    *entries: str, directory: str = ANCHOR, worktree: str = "/", env: dict[str, str] | None = None
) -> LocalProject:
    return LocalProject.of(directory, worktree, entries, {"OPENCODE_TEST_HOME": HOME, **(env or {})})


@pytest.mark.parametrize(
    "path",
    [
        f"{ANCHOR}/AGENTS.md",
        f"{ANCHOR}/CONTEXT.md",
        f"{HOME}/.opencode/AGENTS.md",
        f"{HOME}/AGENTS.md",
        f"{HOME}/CLAUDE.md",
        "/AGENTS.md",
    ],
)
def test_the_folder_and_those_above_it(path: str) -> None:
    assert project().loads(path)


@pytest.mark.parametrize(
    "path",
    [
        f"{HOME}/.config/opencode/AGENTS.md",
        f"{HOME}/.claude/CLAUDE.md",
        f"{HOME}/other/AGENTS.md",
        f"{ANCHOR}/README.md",
        "https://example.com/AGENTS.md",
    ],
)
def test_the_users_own_stay(path: str) -> None:
    assert not project().loads(path)


def test_the_work_tree_is_where_looking_upwards_ends() -> None:
    local = project(directory="/w/repo/sub", worktree="/w/repo")
    assert [path for path in ("/w/repo/sub", "/w/repo", "/w", "/") if local.loads(f"{path}/AGENTS.md")] == [
        "/w/repo/sub",
        "/w/repo",
    ]


def test_the_users_own_by_absolute_and_home_entries() -> None:
    local = project("/rules/*.md", "~/AGENTS.md")
    assert not local.loads("/rules/a.md")
    assert not local.loads(f"{HOME}/AGENTS.md")
    assert local.relative_entries == []


@pytest.mark.parametrize(
    ("entry", "path", "loads"),
    [
        ("docs/rules.md", f"{ANCHOR}/docs/rules.md", True),
        ("./docs/rules.md", f"{HOME}/docs/rules.md", True),
        ("docs/*.md", f"{ANCHOR}/docs/a.md", True),
        ("docs/*.md", f"{ANCHOR}/docs/deep/a.md", False),
        ("**/RULES.md", f"{ANCHOR}/a/b/RULES.md", True),
        ("../shared.md", f"{HOME}/.opencode/remote-sessions/shared.md", True),
        ("{a,b}.md", f"{ANCHOR}/b.md", True),
        ("[", f"{ANCHOR}/x", False),
        ("docs/rules.md", "/elsewhere/docs/rules.txt", False),
    ],
)
def test_relative_entries_mean_files_of_the_folder(entry: str, path: str, loads: bool) -> None:
    assert project(entry).loads(path) is loads


def test_another_configuration_folder() -> None:
    env = {"XDG_CONFIG_HOME": f"{ANCHOR}/config", "OPENCODE_CONFIG_DIR": f"{ANCHOR}"}
    assert not project(env=env).loads(f"{ANCHOR}/config/opencode/AGENTS.md")
    assert not project(env=env).loads(f"{ANCHOR}/AGENTS.md")


def test_opencodes_own_switches() -> None:
    assert project(env={"OPENCODE_DISABLE_CLAUDE_CODE": "1"}).names == ("AGENTS.md", "CONTEXT.md")
    without = project("docs/x.md", env={"OPENCODE_DISABLE_PROJECT_CONFIG": "true"})
    assert not without.loads(f"{ANCHOR}/AGENTS.md")
    assert not without.loads(f"{ANCHOR}/docs/x.md")  # OpenCode then takes it from the user's configuration folder
    assert without.relative_entries == []


@pytest.mark.parametrize(
    ("location", "local"),
    [
        (f"{ANCHOR}/.opencode/skill/x/SKILL.md", True),
        (f"file://{ANCHOR}/.claude/skills/with%20space/SKILL.md", True),
        ("/.agents/skills/x/SKILL.md", True),
        (f"{HOME}/.opencode/skill/x/SKILL.md", False),
        (f"{HOME}/.claude/skills/x/SKILL.md", False),
        (f"{HOME}/.config/opencode/skill/x/SKILL.md", False),
        ("<built-in>", False),
        (f"file://{ANCHOR}/%3Cbuilt-in%3E", False),
    ],
)
def test_skills(location: str, local: bool) -> None:
    assert project().has_skill(location) is local
