"""An environment for child processes that keeps them out of the user's own folders."""

from __future__ import annotations

import os
from pathlib import Path

_OURS = ("REMOTE_", "PYBRIDGE_", "OPENCODE", "XDG_")


def scratch_environment(home: Path) -> dict[str, str]:
    """This process's environment with another home, and without any setting of ours or OpenCode's.

    Args:
        home: the folder to use as home; it and the XDG folders in it are created.
    """
    environment = {k: v for k, v in os.environ.items() if not k.upper().startswith(_OURS)}
    environment["HOME"] = environment["USERPROFILE"] = str(home)
    folders = {
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_DATA_HOME": home / ".local" / "share",
        "XDG_STATE_HOME": home / ".local" / "state",
        "XDG_CACHE_HOME": home / ".cache",
        "APPDATA": home / "AppData" / "Roaming",
        "LOCALAPPDATA": home / "AppData" / "Local",
    }
    for name, folder in folders.items():
        if name.startswith("XDG_") or os.name == "nt":
            folder.mkdir(parents=True, exist_ok=True)
            environment[name] = str(folder)
    return environment
