"""What `pybridge launch` starts: program, folder and environment, worked out before anything runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pybridge.cli.opencode.anchor import prepare_anchor
from pybridge.cli.opencode.binary import find_opencode
from pybridge.cli.opencode.config_content import closed_environment, settings
from pybridge.cli.opencode.config_files import plugin_folders
from pybridge.cli.opencode.local_shell import close_terminals, refusing_shell
from pybridge.cli.opencode.npm import impatience
from pybridge.cli.opencode.own_permissions import own_permissions
from pybridge.cli.opencode.tui_config import badge_environment
from pybridge.cli.package_files import shim_entry
from pybridge.errors import ConfigurationError
from pybridge.logs import register_secret
from pybridge.settings import Settings
from pybridge.transport.carriers import Route, find_route

_TRUE = ("1", "true")


@dataclass(frozen=True)
class Plan:
    """One start of OpenCode.

    Args:
        program: OpenCode's executable.
        arguments: of OpenCode, without its name.
        folder: the anchor, to be its working folder.
        changes: variables to set on top of the caller's environment.
        ours: what `changes` adds to OPENCODE_CONFIG_CONTENT, apart from the user's own content.
        target: the remote, as a person would name it.
        route: how it is reached.
        warnings: what a person should know.
    """

    program: Path
    arguments: tuple[str, ...]
    folder: Path
    changes: Mapping[str, str]
    ours: Mapping[str, object]
    target: str
    route: Route
    warnings: tuple[str, ...]


def require_workdir(env: Mapping[str, str]) -> None:
    """Refuse to start without a folder the user has named: the whole home folder is rarely what is meant.

    Raises:
        ConfigurationError: REMOTE_WORKDIR is not set.
    """
    if not env.get("REMOTE_WORKDIR"):
        raise ConfigurationError(
            "REMOTE_WORKDIR is not set, so it is unknown which folder on the remote to work in.",
            next_step="Set it to a folder there, e.g. REMOTE_WORKDIR='~/project' (`~` alone is the whole home folder).",
        )


def make_plan(env: Mapping[str, str], arguments: Sequence[str]) -> Plan:
    """Check the settings, prepare the anchor, and work out how OpenCode is to be started.

    Args:
        env: the caller's environment.
        arguments: OpenCode's own arguments.

    Raises:
        ConfigurationError: REMOTE_SSH, REMOTE_WORKDIR or another setting is missing or wrong.
        OpenCodeError: OpenCode is missing or of a wrong version, its configuration cannot be read, or cannot be closed.
        LocalStorageError: our own folders cannot be used.
    """
    values = Settings.from_environment(env)
    for secret in values.secrets():
        register_secret(secret)
    require_workdir(env)
    route = find_route(values)
    target = route.target
    program = find_opencode(env)
    shim = shim_entry().as_uri()
    anchor = prepare_anchor(target.slug, values.workdir)
    shell = refusing_shell()
    warnings: list[str] = []
    if env.get("OPENCODE_PURE", "").lower() in _TRUE or "--pure" in arguments:
        warnings.append(
            "OpenCode is told to load no plugins (OPENCODE_PURE or --pure), so it will have no tools at all."
        )
    if open_terminals := close_terminals(anchor, shell):
        warnings.append(open_terminals)
    own = own_permissions(program, anchor, env)
    badge, no_badge = badge_environment(env, route.command, values.workdir, anchor.name)
    if no_badge:
        warnings.append(no_badge)
    changes = {
        "PWD": str(anchor),
        "REMOTE_ANCHOR": str(anchor),
        "PYBRIDGE_PYTHON": env.get("PYBRIDGE_PYTHON") or sys.executable,
        **closed_environment(env, own, shell=shell, plugin=shim),
        "PYBRIDGE_USER_PERMISSION": json.dumps(own.as_json()),
        **impatience(env, plugin_folders(env, anchor)),
        **badge,
    }
    ours = settings(own, plugin=shim, shell=shell)
    name = f"{target}, {values.workdir}"
    return Plan(program, tuple(arguments), anchor, changes, ours, name, route, tuple(warnings))
