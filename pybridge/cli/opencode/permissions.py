"""OpenCode's permissions, closed: the built-in tools denied, so that they stay denied when the plugin does not load.

The shim's `config` hook puts the user's own permissions back. Pure functions over the configuration as
`opencode debug config` prints it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TOOLS = ("bash", "glob", "grep", "read", "list", "edit", "write", "apply_patch")
"""Tools of OpenCode's that act on local files or run local commands."""

_PERMISSION_OF = {"write": "edit", "apply_patch": "edit"}
"""Which permission decides about a tool, where it is not the one of its own name."""

_NATIVE_AGENTS = ("build", "plan", "general", "explore")

Permission = Mapping[str, Any]
"""As in the configuration: permission name (may hold `*` and `?`) -> action, or pattern -> action. Order counts."""


@dataclass(frozen=True)
class OwnPermissions:
    """What the user's configuration says about permissions.

    Args:
        permission: the top level's; None when there is none.
        agents: each configured agent's; None for an agent without.
        modes: agents configured under the older name `mode`, which OpenCode merges after everything else.
    """

    permission: Permission | None
    agents: Mapping[str, Permission | None]
    modes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> OwnPermissions:
        """Read them from a configuration as OpenCode prints it."""
        agents = {**(config.get("mode") or {}), **(config.get("agent") or {})}
        return cls(
            _normal(config.get("permission")),
            {name: _normal((agent or {}).get("permission")) for name, agent in agents.items()},
            frozenset(config.get("mode") or {}),
        )

    def as_json(self) -> dict[str, Any]:
        """What the shim's `config` hook restores."""
        return {"permission": self.permission, "agent": dict(self.agents)}


def denials(own: Permission | None) -> dict[str, str]:
    """The permission to merge over `own` so that every tool of TOOLS is denied.

    The last rule that matches wins, and a merge keeps the place of what was there: a `"*": "allow"` that the user wrote
    last would win over a `bash` of ours. So every wildcard name of the user's is denied too.
    """
    wildcards = [name for name in own or {} if "*" in name or "?" in name]
    return {**dict.fromkeys(wildcards, "deny"), **dict.fromkeys(TOOLS, "deny")}


def closing_agents(own: OwnPermissions) -> dict[str, dict[str, Any]]:
    """The `agent` and `mode` settings that deny TOOLS to every agent with a permission of its own."""
    closed = {name: {"permission": denials(rules)} for name, rules in own.agents.items() if rules}
    modes = {name: settings for name, settings in closed.items() if name in own.modes}
    return {"agent": closed, **({"mode": modes} if modes else {})}


def still_allowed(config: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Which tools which agents could still use, given a configuration: empty when it is closed."""
    own = OwnPermissions.of(config)
    open_tools: dict[str, tuple[str, ...]] = {}
    for agent in {*own.agents, *_NATIVE_AGENTS}:
        rules = [*_rules(own.permission), *_rules(own.agents.get(agent))]
        if tools := tuple(tool for tool in TOOLS if not _is_denied(tool, rules)):
            open_tools[agent] = tools
    return open_tools


def _normal(permission: Any) -> Permission | None:
    return {"*": permission} if isinstance(permission, str) else permission


def _rules(permission: Permission | None) -> list[tuple[str, str, str]]:
    rules: list[tuple[str, str, str]] = []
    for name, setting in (permission or {}).items():
        patterns = setting if isinstance(setting, Mapping) else {"*": setting}
        rules.extend((name, pattern, action) for pattern, action in patterns.items())
    return rules


def _is_denied(tool: str, rules: list[tuple[str, str, str]]) -> bool:
    """As OpenCode decides whether to offer a tool at all: the last rule for it must deny everything."""
    permission = _PERMISSION_OF.get(tool, tool)
    last = next((rule for rule in reversed(rules) if _matches(permission, rule[0])), None)
    return last is not None and last[1:] == ("*", "deny")


def _matches(name: str, wildcard: str) -> bool:
    pattern = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in wildcard)
    return re.fullmatch(pattern, name, re.DOTALL) is not None
