"""Which files OpenCode makes its configuration of, and a fingerprint of all of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

_NAMES = ("opencode.json", "opencode.jsonc")
_AGENTS = ("agent", "agents", "mode", "modes")
_REFERENCE = re.compile(rb"\{(env|file):([^}]+)\}")
_LARGEST_READ = 1024 * 1024


def config_folder(env: Mapping[str, str]) -> Path:
    """The user's own configuration folder of OpenCode's, on every system (not OPENCODE_CONFIG_DIR)."""
    base = env.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "opencode"


def plugin_folders(env: Mapping[str, str], anchor: Path) -> list[Path]:
    """The configuration folders that exist, in which OpenCode looks for agents and plugins."""
    folders = [config_folder(env)]
    if env.get("OPENCODE_DISABLE_PROJECT_CONFIG", "").lower() not in ("1", "true"):
        folders += [folder / ".opencode" for folder in (anchor, *anchor.parents)]
    folders.append(Path.home() / ".opencode")
    if own := env.get("OPENCODE_CONFIG_DIR"):
        folders.append(Path(own))
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def fingerprint(env: Mapping[str, str], anchor: Path, binary: Path) -> str:
    """A checksum that changes whenever OpenCode's configuration for the anchor may have changed.

    It covers OpenCode's executable, its variables, the path, time and size of every file that can contribute, and what
    `{env:...}` and `{file:...}` in them refer to. Not covered: configuration fetched from the network.
    """
    parts: list[object] = [
        sorted(
            (name, value) for name, value in env.items() if name.startswith(("OPENCODE_", "XDG_")) or name == "HOME"
        ),
        str(anchor),
        _stamp(binary),
    ]
    for path in _contributing(env, anchor):
        stamp = _stamp(path)
        if stamp is not None:
            parts.append(stamp)
            parts.extend(_references(path, env))
    parts.extend(_references_in(env.get("OPENCODE_CONFIG_CONTENT", "").encode(), anchor, env))
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _contributing(env: Mapping[str, str], anchor: Path) -> Iterator[Path]:
    own = config_folder(env)
    yield from (own / name for name in ("config", "config.json", *_NAMES))
    if named := env.get("OPENCODE_CONFIG"):
        yield Path(named)
    for folder in (anchor, *anchor.parents):
        yield from (folder / name for name in _NAMES)
    for folder in plugin_folders(env, anchor):
        yield from (folder / name for name in _NAMES)
        for kind in _AGENTS:
            yield from sorted((folder / kind).rglob("*.md"))
    yield from (_managed_folder(env) / name for name in _NAMES)
    if sys.platform == "darwin":
        preferences = Path("/Library/Managed Preferences")
        yield from sorted(preferences.glob("**/ai.opencode.managed.plist"))
    data = env.get("XDG_DATA_HOME")
    yield (Path(data) if data else Path.home() / ".local" / "share") / "opencode" / "auth.json"


def _managed_folder(env: Mapping[str, str]) -> Path:
    if named := env.get("OPENCODE_TEST_MANAGED_CONFIG_DIR"):
        return Path(named)
    if sys.platform == "darwin":
        return Path("/Library/Application Support/opencode")
    if os.name == "nt":
        return Path(env.get("ProgramData", "C:\\ProgramData")) / "opencode"
    return Path("/etc/opencode")


def _stamp(path: Path) -> tuple[str, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return str(path), stat.st_mtime_ns, stat.st_size


def _references(path: Path, env: Mapping[str, str]) -> Iterator[object]:
    try:
        with path.open("rb") as file:
            yield from _references_in(file.read(_LARGEST_READ), path.parent, env)
    except OSError:
        return


def _references_in(text: bytes, folder: Path, env: Mapping[str, str]) -> Iterator[object]:
    for kind, name in _REFERENCE.findall(text):
        what = os.fsdecode(name)
        yield env.get(what) if kind == b"env" else _stamp(folder / os.path.expanduser(what))  # noqa: PTH111
