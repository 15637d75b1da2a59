"""Libraries are found as the dynamic linker finds them, and no program is started for it."""

from __future__ import annotations

import ctypes.util
import shutil
import sys
from pathlib import Path

import pytest

from pybridge.transport import shared_libraries
from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.shared_libraries import find_library

pytestmark = [pytest.mark.unit, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of Linux")]


@pytest.mark.parametrize("name", ["c", "m", "no-such-library-anywhere"])
def test_what_is_found_is_what_python_finds(name: str) -> None:
    assert find_library(name) == ctypes.util.find_library(name)


def test_a_folder_of_the_users_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot be loaded, such as another machine's, is as good as none."""
    real = Path("/proc/self/maps").read_text()
    libc = next(line.split()[-1] for line in real.split("\n") if "libc.so.6" in line or "ld-musl" in line)
    shutil.copy(libc, tmp_path / "libpybridgetest.so.3")
    (tmp_path / "libpybridgetest.so.12").write_bytes(b"no library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    loaded: list[str] = []
    monkeypatch.setattr(shared_libraries, "_can_be_loaded", lambda name: loaded.append(name) or name.endswith(".3"))
    assert find_library("pybridgetest") == "libpybridgetest.so.3"
    assert loaded == ["libpybridgetest.so.12", "libpybridgetest.so.3"]


def test_the_import_leaves_nothing_changed_behind() -> None:
    assert asyncssh.__name__ == "asyncssh"
    assert ctypes.util.find_library is not find_library
    assert "asyncssh.crypto.x509" not in sys.modules or sys.modules["asyncssh.crypto.x509"] is not None
