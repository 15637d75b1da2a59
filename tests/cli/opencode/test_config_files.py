"""The fingerprint changes whenever the configuration may have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pybridge.cli.opencode.config_files import fingerprint, plugin_folders

pytestmark = pytest.mark.unit


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "anchor").mkdir()
    (tmp_path / "binary").write_text("x")
    (tmp_path / ".config" / "opencode").mkdir(parents=True)
    return tmp_path


def look(place: Path, **env: str) -> str:
    return fingerprint({"HOME": str(place), **env}, place / "anchor", place / "binary")


@pytest.mark.parametrize(
    "name",
    [
        ".config/opencode/opencode.json",
        ".config/opencode/opencode.jsonc",
        ".config/opencode/config.json",
        ".config/opencode/agent/deep/er.md",
        ".config/opencode/agents/x.md",
        ".config/opencode/mode/x.md",
        ".opencode/opencode.json",
        ".opencode/agent/x.md",
        "anchor/opencode.json",
        "anchor/.opencode/agent/x.md",
        "opencode.jsonc",
        ".local/share/opencode/auth.json",
        "named.json",
        "folder/opencode.json",
        "managed/opencode.json",
    ],
)
def test_every_file_that_contributes_counts(place: Path, name: str) -> None:
    env = {
        "OPENCODE_CONFIG": str(place / "named.json"),
        "OPENCODE_CONFIG_DIR": str(place / "folder"),
        "OPENCODE_TEST_MANAGED_CONFIG_DIR": str(place / "managed"),
    }
    before = look(place, **env)
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_text("{}")
    created = look(place, **env)
    assert created != before
    os.utime(place / name, (1, 1))
    assert look(place, **env) not in (before, created)


def test_variables_and_the_executable_count(place: Path) -> None:
    before = look(place)
    assert look(place, OPENCODE_CONFIG_CONTENT="{}") != before
    assert look(place, OPENCODE_PERMISSION="{}") != before
    (place / "binary").write_text("another")
    assert look(place) != before


def test_what_a_file_refers_to_counts(place: Path) -> None:
    (place / ".config/opencode/opencode.json").write_text('{"a": "{env:MINE}", "b": "{file:./part}"}')
    before = look(place)
    assert look(place, MINE="1") != before
    (place / ".config/opencode/part").write_text("x")
    assert look(place) != before


def test_nothing_changed_gives_the_same(place: Path) -> None:
    assert look(place) == look(place, UNRELATED="1")


def test_plugin_folders_are_those_that_exist(place: Path) -> None:
    (place / ".opencode").mkdir()
    assert plugin_folders({}, place / "anchor") == [place / ".config" / "opencode", place / ".opencode"]
