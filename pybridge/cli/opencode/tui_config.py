"""OpenCode's terminal interface, given our badge through a generated file, with the user's own settings kept.

OpenCode (1.15 and 1.18) merges, each over the one before: `tui.json` of the user's configuration folder, the file that
OPENCODE_TUI_CONFIG names, `tui.json` of the project. So that variable costs the user nothing, unless it is already
theirs; then their file's content goes into ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import json5

from pybridge.cli.package_files import badge_entry
from pybridge.errors import RemoteError
from pybridge.locations import private_folder, state_folder, write_private
from pybridge.transport.ssh_command import SshCommand

VARIABLE = "OPENCODE_TUI_CONFIG"
_FILE_REFERENCE = re.compile(r"\{file:([^}]+)\}")


def badge_environment(
    env: Mapping[str, str], command: SshCommand, workdir: str, name: str
) -> tuple[dict[str, str], str | None]:
    """Write the file that loads the badge.

    Args:
        env: the caller's environment.
        command: REMOTE_SSH.
        workdir: REMOTE_WORKDIR as written.
        name: of the target and folder; safe as a file name, different for different ones.

    Returns:
        the variables to set, and what a person should know; without variables there is no badge. Nothing is raised: it
        is not worth a start.
    """
    try:
        content = _own_content(env)
        plugins = content.get("plugin", [])
        if not isinstance(plugins, list):
            raise ValueError("`plugin` is not a list")
        content["plugin"] = [*plugins, [badge_entry().as_uri(), {"host": typed_host(command), "path": workdir}]]
        # As it is, not as \uXXXX: OpenCode resolves {file:...} in the text, before it reads it as JSON.
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
        path = private_folder(state_folder() / "tui") / f"{name}.json"
        raw = text.encode("utf-8")
        if not path.is_file() or path.read_bytes() != raw:
            write_private(path, raw, durable=False)
    except (RemoteError, OSError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return {}, f"OpenCode will show no badge with the remote's name: {reason}"
    return {VARIABLE: str(path)}, None


def typed_host(command: SshCommand) -> str:
    """`[user@]host[:port]`, with only what the user typed; an alias stays an alias."""
    port = command.port is not None
    host = f"[{command.host}]" if port and ":" in command.host else command.host
    return (f"{command.user}@" if command.user else "") + host + (f":{command.port}" if port else "")


def _own_content(env: Mapping[str, str]) -> dict[str, Any]:
    """What the user's own OPENCODE_TUI_CONFIG says, usable from another folder.

    Raises:
        OSError: it cannot be read.
        ValueError: it cannot be understood.
    """
    if not env.get(VARIABLE):
        return {}
    file = Path(env[VARIABLE]).absolute()
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}  # OpenCode takes no notice of it either

    folder = file.parent
    text = _FILE_REFERENCE.sub(lambda found: f"{{file:{_from(folder, found[1])}}}", text)
    try:
        content = json5.loads(text) if text.strip() else {}  # OpenCode allows comments and trailing commas here
    except ValueError as error:
        raise ValueError(f"{file}, named in {VARIABLE}, cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file}, named in {VARIABLE}, is not a JSON object")
    nested = content.pop("tui", None)  # an older form, in which the settings lie one level deeper
    if isinstance(nested, dict):
        content = {**nested, **content}
    if isinstance(content.get("plugin"), list):
        content["plugin"] = [_plugin_from(folder, plugin) for plugin in content["plugin"]]
    attention = content.get("attention")
    if isinstance(attention, dict) and isinstance(attention.get("sounds"), dict):
        sounds = attention["sounds"]
        attention["sounds"] = {k: _from(folder, v) if isinstance(v, str) else v for k, v in sounds.items()}
    return content


def _plugin_from(folder: Path, plugin: Any) -> Any:
    """A plugin's specification, absolute where it is a path: one that begins with a dot."""
    if isinstance(plugin, list) and plugin:
        return [_plugin_from(folder, plugin[0]), *plugin[1:]]
    return _from(folder, plugin) if isinstance(plugin, str) and plugin.startswith(".") else plugin


def _from(folder: Path, path: str) -> str:
    """A path of the user's file, seen from any folder; what begins with `{` is only known when OpenCode reads it."""
    path = path.strip()
    if not path or path.startswith(("~/", "{", "file://")) or Path(path).is_absolute():
        return path
    return (folder / path).as_posix()
