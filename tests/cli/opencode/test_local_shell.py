"""The shell that runs nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pybridge.cli.opencode import local_shell

pytestmark = [pytest.mark.unit, pytest.mark.skipif(sys.platform == "win32", reason="runs the POSIX one")]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(local_shell, "state_folder", lambda: tmp_path / "state")
    return tmp_path


def test_it_says_so_and_runs_nothing(tmp_path: Path) -> None:
    shell = local_shell.refusing_shell()
    ran = subprocess.run([shell, "-c", f"touch {tmp_path}/canary"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (126, local_shell.MESSAGE, "")
    assert not (tmp_path / "canary").exists()
    assert shell.name not in ("bash", "zsh", "sh")


def test_one_that_was_changed_is_put_right() -> None:
    shell = local_shell.refusing_shell()
    shell.write_text("#!/bin/sh\nexec sh $@\n")
    shell.chmod(0o600)
    again = local_shell.refusing_shell()
    assert subprocess.run([again, "-c", "true"], capture_output=True).returncode == 126


def test_terminals_get_it_by_the_sessions_folder(tmp_path: Path) -> None:
    shell = local_shell.refusing_shell()
    for _ in range(2):
        assert local_shell.close_terminals(tmp_path, shell) is None
        assert json.loads((tmp_path / "opencode.json").read_text())["shell"] == str(shell)


def test_what_else_the_sessions_folder_sets_stays(tmp_path: Path) -> None:
    shell = local_shell.refusing_shell()
    (tmp_path / "opencode.json").write_text('{"theme": "mine", /* why */ "shell": "/bin/bash",}')
    assert local_shell.close_terminals(tmp_path, shell) is None
    assert json.loads((tmp_path / "opencode.json").read_text()) == {"theme": "mine", "shell": str(shell)}


def test_terminals_that_stay_open_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "opencode.json").write_text("{oops")
    warning = local_shell.close_terminals(tmp_path, local_shell.refusing_shell())
    assert warning is not None
    assert str(tmp_path / "opencode.json") in warning
    assert (tmp_path / "opencode.json").read_text() == "{oops"
