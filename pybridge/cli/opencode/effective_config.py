"""The configuration OpenCode would run with, as OpenCode itself works it out."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pybridge.errors import OpenCodeError
from pybridge.settings import SECRET_NAMES

CONFIG_SECONDS = 30.0
"""How long `opencode debug config` may take (about 1.3 s on a usual machine)."""


def effective_config(
    binary: Path, folder: Path, env: Mapping[str, str], *, changes: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Ask OpenCode for its configuration in `folder`, plugins left out.

    Args:
        binary: OpenCode's executable.
        folder: where it would be started.
        env: the environment it would be started with; our secrets are not handed on.
        changes: variables on top of `env`.

    Raises:
        OpenCodeError: it did not answer, or not with a configuration.
    """
    # With content of its own, even an empty one, OpenCode does not create a configuration file for a new user.
    # Offline: it would otherwise begin to install packages, and be ended in the middle of it.
    variables = {"OPENCODE_CONFIG_CONTENT": "{}", **env, **(changes or {})}
    variables |= {"PWD": str(folder), "OPENCODE_PURE": "1", "npm_config_offline": "true"}
    for name in SECRET_NAMES:
        variables.pop(name, None)
    # Files and not pipes: OpenCode exits without waiting for a full pipe to be read.
    # A state folder of its own: OpenCode exits while it holds the locks of the installation it began, and the next
    # start would wait for them to grow stale (seen: 60 s).
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        tempfile.TemporaryDirectory(prefix="pybridge-", ignore_cleanup_errors=True) as state,
    ):
        variables["XDG_STATE_HOME"] = state
        try:
            code = subprocess.run(
                [binary, "debug", "config"],
                cwd=folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                timeout=CONFIG_SECONDS,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise OpenCodeError(
                f"`opencode debug config` did not answer within {CONFIG_SECONDS:.0f} s: its permissions are unknown.",
                next_step="Try again. Run it by hand to see what it waits for.",
            ) from error
        except OSError as error:
            raise OpenCodeError(f"{binary} does not run: {error.strerror or error}.") from error
        out.seek(0)
        err.seek(0)
        text = out.read().decode("utf-8", "replace")
        said = err.read().decode("utf-8", "replace").strip()
    try:
        config = json.loads(text)
    except ValueError:
        config = None
    if code != 0 or not isinstance(config, dict):
        raise OpenCodeError(
            f"OpenCode cannot read its own configuration (`opencode debug config`, exit code {code}):\n"
            + (said[:2000] or text[:500]),
            next_step="Correct what it names, then start again.",
        )
    return config
