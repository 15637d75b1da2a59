"""The denials, against OpenCode's rule that the last match wins."""

from __future__ import annotations

from typing import Any

import pytest

from pybridge.cli.opencode.config_content import closed_environment
from pybridge.cli.opencode.permissions import TOOLS, OwnPermissions, closing_agents, denials, still_allowed

pytestmark = pytest.mark.unit


def merged(below: Any, above: Any) -> Any:
    """As OpenCode merges configurations: names keep their place."""
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **{name: merged(below.get(name), value) for name, value in above.items()}}
    return above


def closed(config: dict[str, Any]) -> dict[str, Any]:
    own = OwnPermissions.of(config)
    return merged(config, {"permission": denials(own.permission), **closing_agents(own)})


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"permission": "allow"},
        {"permission": {"bash": "allow", "*": "allow"}},
        {"permission": {"*": "ask", "e?it": "allow", "b*h": "allow"}},
        {"permission": {"bash": {"*": "deny", "git *": "allow"}, "read": {"*": "deny", "*.env": "allow"}}},
        {"agent": {"build": {"permission": {"bash": "allow", "*": "allow"}}}},
        {"agent": {"mine": {"permission": {"edit": {"*.md": "allow"}}}, "other": {"prompt": "p"}}},
        {"agent": {"mine": {"permission": "allow"}}, "mode": {"mine": {"permission": {"*": "allow"}}}},
        {"mode": {"old": {"permission": {"bash": "allow"}}}},
    ],
)
def test_whatever_the_user_allows_nothing_stays_allowed(config: dict[str, Any]) -> None:
    assert still_allowed(closed(config)) == {}


def test_without_denials_everything_is_allowed() -> None:
    assert still_allowed({})["build"] == TOOLS


def test_a_denial_by_name_is_not_enough_before_a_wildcard() -> None:
    """The order that makes plain denials fail: this is why wildcards are denied too."""
    config = {"permission": {**dict.fromkeys(TOOLS, "deny"), "*": "allow"}}
    assert still_allowed(config)["build"] == TOOLS


def test_a_denial_of_one_pattern_is_none_of_the_tool() -> None:
    config = {"permission": {**dict.fromkeys(TOOLS, "deny"), "bash": {"*": "deny", "git *": "allow"}}}
    assert still_allowed(config)["plan"] == ("bash",)


def test_an_agent_wins_over_the_top_level() -> None:
    config = {"permission": dict.fromkeys(TOOLS, "deny"), "agent": {"a": {"permission": {"edit": "ask"}}}}
    assert still_allowed(config) == {"a": ("edit", "write", "apply_patch")}


def test_agents_without_a_permission_are_left_alone() -> None:
    own = OwnPermissions.of({"agent": {"plain": {"prompt": "p"}, "own": {"permission": {"bash": "ask"}}}})
    assert list(closing_agents(own)["agent"]) == ["own"]
    assert own.as_json() == {"permission": None, "agent": {"plain": None, "own": {"bash": "ask"}}}


def test_other_permissions_of_the_users_stay() -> None:
    assert "webfetch" not in denials({"webfetch": "ask", "bash": "allow"})


def test_the_users_own_content_is_kept_and_ours_wins() -> None:
    import json

    env = {"OPENCODE_CONFIG_CONTENT": '{"plugin": ["theirs"], "model": "a/b", "snapshot": true, // why not\n}'}
    changes = closed_environment(env, OwnPermissions(None, {}), shell=None, plugin="file:///ours.js")
    content = json.loads(changes["OPENCODE_CONFIG_CONTENT"])
    assert content["plugin"] == ["theirs", "file:///ours.js"]
    assert (content["model"], content["snapshot"]) == ("a/b", False)
