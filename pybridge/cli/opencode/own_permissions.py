"""The user's own permissions: asked of OpenCode once, then remembered until something they are made of changes."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pybridge
from pybridge.cli.opencode.binary import opencode_version
from pybridge.cli.opencode.config_content import closed_environment
from pybridge.cli.opencode.config_files import fingerprint
from pybridge.cli.opencode.effective_config import effective_config
from pybridge.cli.opencode.permissions import OwnPermissions, still_allowed
from pybridge.errors import LocalStorageError, OpenCodeError
from pybridge.locations import private_folder, state_folder, write_private

FORMAT = 1
FILE_NAME = "opencode-permissions.json"
REMEMBERED_SECONDS = 24 * 3600.0
"""Configuration fetched from the network leaves no trace in the fingerprint: ask again after this."""
_MOST_ENTRIES = 32


def own_permissions(binary: Path, anchor: Path, env: Mapping[str, str]) -> OwnPermissions:
    """The user's permissions for sessions in `anchor`, known to be closed by our denials.

    Args:
        binary: OpenCode's executable.
        anchor: the folder OpenCode is started in.
        env: the user's environment, without anything of ours.

    Raises:
        OpenCodeError: OpenCode's version cannot be used, or its configuration cannot be read or closed.
    """
    key = fingerprint(env, anchor, binary)
    entries = _load()
    if (known := entries.get(key)) and 0 <= time.time() - known["time"] < REMEMBERED_SECONDS:
        return OwnPermissions(known["permission"], known["agents"], frozenset(known["modes"]))
    opencode_version(binary, env)
    own = OwnPermissions.of(effective_config(binary, anchor, env))
    _check_closed(binary, anchor, env, own)
    # OpenCode adds a missing "$schema" to the files it reads: what was not stable is asked for again next time.
    if fingerprint(env, anchor, binary) == key:
        entries[key] = {"time": time.time(), **own.as_json(), "modes": sorted(own.modes)}
        entries[key]["agents"] = entries[key].pop("agent")
        _store(entries)
    return own


def _check_closed(binary: Path, anchor: Path, env: Mapping[str, str], own: OwnPermissions) -> None:
    """Ask OpenCode again, with the denials: settings an administrator made are merged after ours.

    Raises:
        OpenCodeError: an agent could still use a built-in tool.
    """
    closed = effective_config(binary, anchor, env, changes=closed_environment(env, own, shell=None))
    if leaks := still_allowed(closed):
        agent, tools = next(iter(leaks.items()))
        raise OpenCodeError(
            f"OpenCode's configuration lets the agent {agent!r} use {', '.join(tools)} on this machine, and that "
            "cannot be switched off: settings of an administrator or an organisation allow it.",
            next_step="If the plugin failed to load, the model would work on this machine instead of the remote, so "
            "OpenCode is not started. Have that permission removed from the managed settings.",
        )


def _load() -> dict[str, Any]:
    try:
        stored = json.loads((state_folder() / FILE_NAME).read_bytes())
        if stored["format"] == FORMAT and stored["version"] == pybridge.__version__:
            return dict(stored["entries"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there, or not ours to read: asked for again
    return {}


def _store(entries: dict[str, Any]) -> None:
    newest = sorted(entries.items(), key=lambda item: item[1]["time"])[-_MOST_ENTRIES:]
    content = {"format": FORMAT, "version": pybridge.__version__, "entries": dict(newest)}
    with contextlib.suppress(LocalStorageError):  # it only costs a second at the next start
        write_private(private_folder(state_folder()) / FILE_NAME, json.dumps(content).encode(), durable=False)
