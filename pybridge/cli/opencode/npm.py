"""Keeps OpenCode's start quick where the npm registry cannot be reached.

With any plugin configured, OpenCode first installs the package `@opencode-ai/plugin` into each of its configuration
folders that lacks it, and waits. Measured with 1.18.33 and a registry that refuses connections: 73 s with npm's own
retries, 2 s without them; one that accepts and never answers costs the fetch timeout. The user's files stay as they
are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

IMPATIENT = {"npm_config_fetch_retries": "0", "npm_config_fetch_timeout": "15000"}
"""npm's settings for a start that may have to do without the registry (milliseconds; npm's own default is 300000)."""


def impatience(env: Mapping[str, str], config_folders: Sequence[Path]) -> dict[str, str]:
    """Variables to add, if an installation is due at all; what the user set stands.

    Args:
        env: the environment OpenCode would get.
        config_folders: the folders OpenCode installs into.
    """
    if all((folder / "node_modules" / "@opencode-ai" / "plugin").is_dir() for folder in config_folders):
        return {}
    given = {name.lower() for name in env}
    return {name: value for name, value in IMPATIENT.items() if name not in given}
