"""OPENCODE_CONFIG_CONTENT and OPENCODE_PERMISSION: our settings over the user's, without touching a file of theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import json5

from pybridge.cli.opencode.permissions import OwnPermissions, closing_agents, denials
from pybridge.errors import ConfigurationError

CONTENT = "OPENCODE_CONFIG_CONTENT"
PERMISSION = "OPENCODE_PERMISSION"


def settings(own: OwnPermissions, *, plugin: str | None, shell: Path | None) -> dict[str, Any]:
    """What we set in OpenCode's configuration.

    The anchor is empty: snapshots, language servers and formatters have nothing to do there.

    Args:
        own: the user's permissions, to be closed.
        plugin: URL of the shim.
        shell: the shell for commands that are not the model's.
    """
    return {
        "snapshot": False,
        "lsp": False,
        "formatter": False,
        **({"shell": str(shell)} if shell else {}),
        **({"plugin": [plugin]} if plugin else {}),
        **closing_agents(own),
    }


def closed_environment(
    env: Mapping[str, str], own: OwnPermissions, *, shell: Path | None, plugin: str | None = None
) -> dict[str, str]:
    """The two variables that close OpenCode's permissions; see `settings` for the arguments.

    Raises:
        ConfigurationError: the user's own OPENCODE_CONFIG_CONTENT cannot be read.
    """
    content = _merge(_own_content(env), settings(own, plugin=plugin, shell=shell))
    return {CONTENT: json.dumps(content), PERMISSION: json.dumps(denials(own.permission))}


def _own_content(env: Mapping[str, str]) -> dict[str, Any]:
    text = env.get(CONTENT, "").strip()
    if not text:
        return {}
    try:
        content = json5.loads(text)  # OpenCode allows comments and trailing commas here
    except ValueError as error:
        raise ConfigurationError(
            f"{CONTENT} is set, and is not JSON: {error}.", next_step="Correct it, or leave it out."
        ) from error
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"{CONTENT} is set, and is not a JSON object.", next_step="Correct it, or leave it out."
        )
    return content


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` over `below` as OpenCode merges: objects by key, plugins added, everything else replaced."""
    merged = dict(below)
    for name, value in above.items():
        held = merged.get(name)
        if isinstance(held, dict) and isinstance(value, Mapping):
            merged[name] = _merge(held, value)
        elif name == "plugin" and isinstance(held, list):
            merged[name] = [*held, *value]
        else:
            merged[name] = value
    return merged
