"""Finding OpenCode, and refusing what is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pybridge.cli.opencode.binary import find_opencode, opencode_version
from pybridge.errors import OpenCodeError
from tests.kit.opencode import opencode_binary

posix = pytest.mark.skipif(sys.platform == "win32", reason="makes a program of a shell script")


def program(folder: Path, text: str, name: str = "opencode") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.unit
def test_without_opencode_the_command_that_installs_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(OpenCodeError, match="npm install -g opencode-ai"):
        find_opencode({"PATH": str(tmp_path)})


@pytest.mark.unit
@posix
def test_a_named_one_wins_over_path(tmp_path: Path) -> None:
    on_path, named = program(tmp_path, "", "opencode"), program(tmp_path, "", "mine")
    assert find_opencode({"PATH": str(tmp_path)}) == on_path
    assert find_opencode({"PATH": str(tmp_path), "PYBRIDGE_OPENCODE": str(named)}) == named
    with pytest.raises(OpenCodeError, match="PYBRIDGE_OPENCODE"):
        find_opencode({"PATH": str(tmp_path), "PYBRIDGE_OPENCODE": str(tmp_path / "none")})


@pytest.mark.unit
@posix
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 1.14.9", "too old: 1.15.0"),
        ("echo 2.0.1", "does not load plugins"),
        ("echo hello", "is not OpenCode"),
        ("echo broken >&2; exit 3", "exit code 3, broken"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, script: str, message: str) -> None:
    """D29: OpenCode 1.15 or newer."""
    with pytest.raises(OpenCodeError, match=message):
        opencode_version(program(tmp_path, script), {})


@pytest.mark.parametrize("variable", ["PYBRIDGE_OPENCODE", "PYBRIDGE_OPENCODE_115"])
def test_the_real_ones_can_be_used(variable: str, tmp_path: Path) -> None:
    binary = opencode_binary(variable)
    assert opencode_version(binary, {"HOME": str(tmp_path)}).startswith("1.")


@pytest.mark.unit
@posix
def test_it_is_not_told_our_secrets(tmp_path: Path) -> None:
    """Law 6."""
    binary = program(tmp_path, f'echo "$REMOTE_PASSWORD$OTHER" > {tmp_path}/told; echo 1.18.33')
    opencode_version(binary, {"REMOTE_PASSWORD": "hush", "OTHER": "seen"})
    assert (tmp_path / "told").read_text() == "seen\n"
