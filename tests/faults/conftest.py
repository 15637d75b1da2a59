"""Fixtures of the fault tests: local folders of the test's own, large uploads through several channels."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def local_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the sidecar keeps what it keeps."""
    local = tmp_path / "local"
    local.mkdir()
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(local))
    return local


@pytest.fixture
def collected() -> Iterator[None]:
    """asyncssh forgets transfers that a dead link has ended. Collected while Python parses a module, they make it fail
    (https://github.com/python/cpython/issues/106905), so they are collected here."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def several_channels_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send contents through several channels that are not yet many packets."""
    monkeypatch.setattr("pybridge.host.uploading.LARGE_BYTES", 600 * 1024)
    monkeypatch.setattr("pybridge.host.uploading.SPAN_BYTES", 128 * 1024)
