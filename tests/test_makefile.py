"""The Makefile's first steps on machines that are not ready for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.counterparts import need

ROOT = Path(__file__).resolve().parents[1]
pytestmark = [pytest.mark.unit, pytest.mark.skipif(sys.platform == "win32", reason="needs make and sh")]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [need("make"), "-C", ROOT, "--no-print-directory", *arguments], capture_output=True, text=True, timeout=100
    )


def interpreter(folder: Path, script: str) -> Path:
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_an_older_python_is_refused_by_name(tmp_path: Path) -> None:
    old = interpreter(tmp_path, 'case "$1" in --version) echo "Python 3.9.2";; *) exit 1;; esac')
    ran = make("setup", f"PYTHON={old}", f"VENV={tmp_path}/venv")
    assert ran.returncode != 0
    assert "pybridge needs Python 3.11 or newer" in ran.stderr
    assert "is Python 3.9.2" in ran.stderr
    assert "PYTHON=python3.12 make setup" in ran.stderr
    assert not (tmp_path / "venv").exists()


def test_no_python_at_all_is_said_so(tmp_path: Path) -> None:
    ran = make("demo", f"PYTHON={tmp_path}/nothing", f"VENV={tmp_path}/venv")
    assert ran.returncode != 0
    assert f"there is no {tmp_path}/nothing" in ran.stderr


def test_a_python_without_venv_names_the_package(tmp_path: Path) -> None:
    bare = interpreter(tmp_path, f'[ "$1" = -m ] && exit 1; exec {sys.executable} "$@"')
    ran = make("setup", f"PYTHON={bare}", f"VENV={tmp_path}/venv")
    assert ran.returncode != 0
    assert "apt-get install python3-venv" in ran.stderr
    assert not (tmp_path / "venv").exists()


def test_setup_does_nothing_when_it_was_done(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / ".installed-dev").touch()
    assert make("setup", f"PYTHON={tmp_path}/nothing", f"VENV={tmp_path}/venv").returncode == 0


def test_every_target_is_listed() -> None:
    listed = make("help").stdout
    for target in ("demo", "setup", "check", "test", "test-all", "torture", "clean"):
        assert f"make {target} " in listed
