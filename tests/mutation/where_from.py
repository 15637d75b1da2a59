"""Tests for the copied tree only (no `test_` in the name, so that nothing else collects them)."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path

import pybridge
from pybridge.host.facts import script

PROGRAM = "import pybridge.sidecar.run as it; print(it.__file__)"


def test_the_package_and_its_scripts_come_from_the_folder_of_the_tests() -> None:
    copy = Path(__file__).resolve().parents[2]
    assert Path(pybridge.__file__).resolve().is_relative_to(copy)
    assert Path(str(resources.files("pybridge"))).resolve().is_relative_to(copy)
    (copy / "pybridge/host/scripts/of_the_copy.sh").write_text("echo it is")
    assert script("of_the_copy.sh") == "echo it is"


def test_a_subprocess_imports_it_from_there_too() -> None:
    copy = Path(__file__).resolve().parents[2]
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd="/").stdout
    assert Path(told.strip()).resolve().is_relative_to(copy)
