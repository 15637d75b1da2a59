"""The shell OpenCode is given for commands that are not the model's: one that runs nothing here.

`!command` in the prompt, `!`-blocks in command templates and terminals of the web interface go to the shell named in
the configuration. On this machine they would run in the anchor, although the user believes to be on the remote. For the
first two a plugin that did load puts one that runs them on the remote over it (plugin/user_shell.js).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import json5

from pybridge.errors import LocalStorageError
from pybridge.locations import private_folder, state_folder, write_private

# Not bash or zsh: OpenCode treats these by name. A path that is no file would make it fall back to bash.
# It speaks on standard output: a command template shows nothing else.
_POSIX = ("pybridge-no-local-shell", "#!/bin/sh\necho '{message}'\nexit 126\n")
# Windows can start no file of this kind, so OpenCode fails and names it. A batch file will not do: cmd.exe parses the
# command it is given, and would run parts of it.
_WINDOWS = ("pybridge-no-local-shell.txt", "{message}\r\n")
# OpenCode adds it where it is missing: the file would have changed at the next start.
_SCHEMA = "https://opencode.ai/config.json"
MESSAGE = (
    "pybridge: Not run: a terminal, or a command while the plugin does not work, would act on your own machine, not on "
    "the remote. Ask the model to run it, or restart OpenCode with `pybridge launch`."
)


def refusing_shell() -> Path:
    """Put the refusing shell in place and return its path.

    Raises:
        LocalStorageError: it cannot be written.
    """
    name, text = _WINDOWS if os.name == "nt" else _POSIX
    path = private_folder(state_folder()) / name
    content = text.format(message=MESSAGE).encode("ascii")
    try:
        if not path.is_file() or path.read_bytes() != content:
            write_private(path, content)
        if not os.access(path, os.X_OK):
            path.chmod(0o700)
    except OSError as error:
        raise LocalStorageError(
            f"The file {path} cannot be used: {error.strerror or error}.", next_step="Remove it and try again."
        ) from error
    return path


def close_terminals(anchor: Path, shell: Path) -> str | None:
    """Let terminals of the web interface start `shell` too.

    OpenCode 1.18 takes their shell from configuration files alone (seen: not from OPENCODE_CONFIG_CONTENT, and without
    asking a plugin), of which the one in the session's folder counts most.

    Args:
        anchor: the session's folder.
        shell: the refusing shell.

    Returns:
        a warning when that cannot be done.
    """
    path = anchor / "opencode.json"
    try:
        held = json5.loads(path.read_text(encoding="utf-8")) if path.exists() else {"$schema": _SCHEMA}
        if not isinstance(held, dict):
            raise ValueError("it is not a JSON object")
        if held.get("shell") != str(shell):
            write_private(path, json.dumps({**held, "shell": str(shell)}, indent=2).encode() + b"\n")
    except (OSError, ValueError, LocalStorageError) as error:
        return f"terminals of OpenCode's web interface would open on this machine: {path} cannot be used ({error})."
    return None
