"""`pybridge install`: for people who start OpenCode themselves."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from pybridge.cli.console import narrate, show
from pybridge.cli.opencode.config_files import config_folder
from pybridge.cli.package_files import badge_entry, shim_entry
from pybridge.cli.plugin_file import FILE_NAME, is_ours, plugin_file
from pybridge.errors import ConfigurationError, LocalStorageError
from pybridge.locations import write_private

Project = Annotated[bool, typer.Option("--project", help="For the project in the current folder only.")]


def install(project: Project = False) -> None:
    """Let OpenCode load the plugin whenever it is started with REMOTE_SSH set.

    Writes one file, plugins/pybridge.js, and changes no configuration. `pybridge launch` needs none of this.
    """
    path = plugin_path(os.environ, project=project)
    content = plugin_file(Path(sys.executable), shim_entry())
    if path.exists() and not is_ours(path):
        raise ConfigurationError(
            f"{path} is there already, and is not from `pybridge install`; it was left as it is.",
            next_step="Move or remove it, then run `pybridge install` again.",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalStorageError(
            f"The folder {path.parent} cannot be created: {error.strerror or error}.",
            next_step="Check its permissions, or name another folder in OPENCODE_CONFIG_DIR.",
        ) from error
    write_private(path, content)
    show(str(path))
    narrate("Installed. Restart OpenCode with REMOTE_SSH and REMOTE_WORKDIR set; without REMOTE_SSH it is as before.")
    badge = json.dumps(badge_entry().as_uri())
    narrate(f"For the badge in OpenCode's terminal interface, add to `plugin` in its tui.json: {badge}")


def plugin_path(env: Mapping[str, str], *, project: bool) -> Path:
    """Where the plugin file goes: the project's folder, else OPENCODE_CONFIG_DIR, else OpenCode's own folder."""
    if project:
        folder = Path.cwd() / ".opencode"
    elif named := env.get("OPENCODE_CONFIG_DIR"):
        folder = Path(named).expanduser().absolute()
    else:
        folder = config_folder(env)
    return folder / "plugins" / FILE_NAME
