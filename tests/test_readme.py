"""What the README says is so: commands, settings, and the stated limits (row D31)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
from typer.main import get_command

from pybridge.cli.commands import app
from pybridge.settings import markdown_table

pytestmark = pytest.mark.unit

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_settings_are_those_of_the_code() -> None:
    assert markdown_table() in README


def test_every_command_named_exists_and_every_command_is_named() -> None:
    commands = set(cast(Any, get_command(app)).commands)
    named = set(re.findall(r"`?pybridge ([a-z]+)", README))
    table = set(re.findall(r"`(install|uninstall|[a-z]+)[ `\[]", README)) & commands
    assert named <= commands | {"acts", "makes", "talks"}
    assert commands - {"sidecar"} <= named | table


def test_D31_the_limits_are_stated() -> None:
    limits = README.partition("## Limits")[2].partition("\n## ")[0]
    assert "No language server for remote files" in limits
    assert "Windows as the remote is not supported" in limits
    assert re.search(r"Run on: Linux", limits)


def test_the_files_it_names_are_there() -> None:
    root = Path(__file__).parents[1]
    for name in (".env.test.example", ".ci/run", "launchers/remote-opencode.sh", "pybridge/tools/differences.py"):
        assert name in README
        assert (root / name).is_file()
