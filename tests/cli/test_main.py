"""How the command fails, and how fast it can be a sidecar."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.cli.conftest import Command

pytestmark = pytest.mark.unit


def test_the_sidecar_starts_without_the_command_lines_weight() -> None:
    code = (
        "import sys, pybridge.sidecar.run as run\n"
        "run.main = lambda: print(sorted({'typer', 'rich', 'asyncssh', 'pydantic'} & set(sys.modules))) or 5\n"
        "sys.argv = ['pybridge', 'sidecar']\n"
        "from pybridge.cli.main import main\n"
        "main()\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ran.stdout.strip(), ran.returncode) == ("[]", 5), ran.stderr


def test_the_version_is_data(pybridge: Command) -> None:
    ran = pybridge("version")
    assert re.fullmatch(r"pybridge \d+\.\d+\.\d+\n", ran.stdout)
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert pybridge("--version").stdout == ran.stdout


def test_every_subcommand_is_listed(pybridge: Command) -> None:
    shown = pybridge("--help").stdout
    for name in "launch install uninstall doctor trust password demo clean sidecar version".split():
        assert re.search(rf"\b{name}\b", shown)


def test_a_failure_is_one_message_with_a_next_step(pybridge: Command) -> None:
    ran = pybridge("launch")
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.splitlines()[0].startswith("pybridge: REMOTE_SSH is not set")
    assert "Set it to" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_debugging_shows_where_it_failed(pybridge: Command) -> None:
    ran = pybridge("launch", env={"PYBRIDGE_LOG": "debug"})
    assert ran.returncode == 1
    assert "Traceback" in ran.stderr
    assert "REMOTE_SSH is not set" in ran.stderr


def test_an_unknown_command_is_a_usage_error(pybridge: Command) -> None:
    assert pybridge("dance").returncode == 2
