"""OpenCode's executable: where it is, and whether its version can be used."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pybridge.errors import OpenCodeError
from pybridge.settings import SECRET_NAMES

OLDEST = (1, 15, 0)
"""The oldest version whose plugins can replace the built-in tools as we need it."""

INSTALL_COMMAND = "npm install -g opencode-ai"
VERSION_SECONDS = 20.0


def find_opencode(env: Mapping[str, str]) -> Path:
    """The executable named by PYBRIDGE_OPENCODE, else the `opencode` on PATH.

    Raises:
        OpenCodeError: there is none.
    """
    named = env.get("PYBRIDGE_OPENCODE")
    found = shutil.which(named or "opencode", path=env.get("PATH"))
    if found is None and named:
        raise OpenCodeError(
            f"PYBRIDGE_OPENCODE is {named!r}, which is no program that can be run.",
            next_step="Set it to OpenCode's executable, or leave it out to use the `opencode` on PATH.",
        )
    if found is None:
        raise OpenCodeError("OpenCode is not on PATH.", next_step=f"Install it: {INSTALL_COMMAND}")
    # Absolute, because it is started from another folder; links stay, since some installations look at their own name.
    return _behind_batch_file(Path(found).absolute())


def opencode_version(binary: Path, env: Mapping[str, str]) -> str:
    """What `opencode --version` says, if it is a version that can be used.

    Raises:
        OpenCodeError: it does not run, or is too old or too new.
    """
    try:
        answer = subprocess.run(
            [binary, "--version"],
            env={name: value for name, value in env.items() if name not in SECRET_NAMES},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise OpenCodeError(
            f"{binary} did not tell its version within {VERSION_SECONDS:.0f} s.",
            next_step="Try again; else reinstall it.",
        ) from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise OpenCodeError(
            f"{binary} does not run: {_reason(error)}", next_step=f"Reinstall it: {INSTALL_COMMAND}"
        ) from error
    version = answer.stdout.decode("utf-8", "replace").strip()
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if found is None:
        raise OpenCodeError(
            f"{binary} is not OpenCode: asked for its version it said {version[:80]!r}.",
            next_step="Set PYBRIDGE_OPENCODE to OpenCode's executable.",
        )
    numbers = tuple(map(int, found.groups()))
    if numbers < OLDEST:
        raise OpenCodeError(
            f"OpenCode {version} ({binary}) is too old: {'.'.join(map(str, OLDEST))} or newer is needed.",
            next_step=f"Update it: {INSTALL_COMMAND}",
        )
    if numbers[0] > OLDEST[0]:
        raise OpenCodeError(
            f"OpenCode {version} ({binary}) does not load plugins made for OpenCode {OLDEST[0]}.x, "
            "and would work on this machine instead.",
            next_step=f"Install a 1.x beside it (npm i opencode-ai@{OLDEST[0]}) and name it in PYBRIDGE_OPENCODE.",
        )
    return version


def _behind_batch_file(path: Path) -> Path:
    """The program npm's .cmd file would start: arguments handed to a batch file are read again by cmd.exe."""
    if os.name == "nt" and path.suffix.lower() in (".cmd", ".bat"):
        program = path.parent / "node_modules" / "opencode-ai" / "bin" / "opencode.exe"
        if program.is_file():
            return program
    return path


def _reason(error: OSError | subprocess.CalledProcessError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    said = (error.stderr or b"").decode("utf-8", "replace").strip().splitlines()
    return f"exit code {error.returncode}" + (f", {said[-1]}" if said else "")
