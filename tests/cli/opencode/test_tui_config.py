"""The file that gives OpenCode's terminal interface its badge (D14), and the user's own settings in it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pybridge.cli.opencode.tui_config import VARIABLE, badge_environment, typed_host
from pybridge.cli.package_files import badge_entry
from pybridge.transport.ssh_command import parse_ssh_command

pytestmark = pytest.mark.unit

COMMAND = parse_ssh_command("me@box -p 2222")
BADGE = [badge_entry().as_uri(), {"host": "me@box:2222", "path": "~/src"}]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setattr("pybridge.cli.opencode.tui_config.state_folder", lambda: folder)
    return folder


def written(env: dict[str, str] | None = None) -> dict[str, Any]:
    """The file's content."""
    variables, warning = badge_environment(env or {}, COMMAND, "~/src", "target")
    assert warning is None
    return json.loads(Path(variables[VARIABLE]).read_text(encoding="utf-8"))


def refused(env: dict[str, str]) -> str:
    """The warning, when nothing is set."""
    variables, warning = badge_environment(env, COMMAND, "~/src", "target")
    assert variables == {}
    assert warning is not None
    assert warning.startswith("OpenCode will show no badge")
    return warning


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        ("box", "box"),
        ("me@box", "me@box"),
        ("ssh -l me -p22 box", "me@box:22"),
        ("ssh://me@box:2222", "me@box:2222"),
        ("ssh://me@[::1]:2222", "me@[::1]:2222"),
        ("[::1]", "::1"),
        ("-J hop -i key alias", "alias"),
    ],
)
def test_the_host_is_shown_as_typed(typed: str, host: str) -> None:
    assert typed_host(parse_ssh_command(typed)) == host


def test_without_settings_of_the_users_there_is_only_the_badge(state: Path) -> None:
    assert written() == {"plugin": [BADGE]}
    [file] = (state / "tui").iterdir()
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600


def test_each_target_has_a_file_of_its_own() -> None:
    one, _ = badge_environment({}, COMMAND, "~/src", "one")
    two, _ = badge_environment({}, COMMAND, "~/other", "two")
    assert one != two
    assert "~/src" in Path(one[VARIABLE]).read_text()


def test_the_users_file_is_kept_and_its_paths_made_absolute(tmp_path: Path) -> None:
    own = tmp_path / "own é"
    own.mkdir()
    (own / "mine.json").write_text(
        """\ufeff{
          // what I like
          "theme": "dracula",
          "keybinds": {"leader": "{env:LEADER}"},
          "plugin": [
            "./a.js", ["../b.js", {"key": "{file:key.txt}"}], "some-package@1.2", "file:///c.js", "{env:D}/d.js",
          ],
          "attention": {"sounds": {"done": "sounds/done.wav", "error": "file:///e.wav"}},
        }""",
        encoding="utf-8",
    )
    assert written({VARIABLE: str(own / "mine.json")}) == {
        "theme": "dracula",
        "keybinds": {"leader": "{env:LEADER}"},
        "plugin": [
            (own / "a.js").as_posix(),
            [(own / "../b.js").as_posix(), {"key": f"{{file:{(own / 'key.txt').as_posix()}}}"}],
            "some-package@1.2",
            "file:///c.js",
            "{env:D}/d.js",
            BADGE,
        ],
        "attention": {"sounds": {"done": (own / "sounds/done.wav").as_posix(), "error": "file:///e.wav"}},
    }


def test_a_reference_to_a_file_stands_in_the_text_as_opencode_reads_it(tmp_path: Path) -> None:
    """It is looked for in the text itself, where \\u00e9 would be six characters of a name."""
    own = tmp_path / "own é"
    own.mkdir()
    (own / "mine.json").write_text('{"theme": "{file:theme.txt}"}')
    variables, _ = badge_environment({VARIABLE: str(own / "mine.json")}, COMMAND, "~/src", "target")
    text = Path(variables[VARIABLE]).read_text(encoding="utf-8")
    assert f"{{file:{(own / 'theme.txt').as_posix()}}}" in text


def test_settings_in_the_older_form_are_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text('{"tui": {"plugin": ["x"], "theme": "a", "mouse": false}, "theme": "b"}')
    assert written({VARIABLE: str(tmp_path / "mine.json")}) == {"theme": "b", "mouse": False, "plugin": ["x", BADGE]}


def test_a_path_that_is_not_absolute_is_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCode would look for it in the folder it is started in, which is another."""
    (tmp_path / "mine.json").write_text('{"theme": "a"}')
    monkeypatch.chdir(tmp_path)
    assert written({VARIABLE: "mine.json"})["theme"] == "a"


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_file_and_none_are_the_same(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.json").write_text(text)
    for name in ("mine.json", "missing.json"):
        assert written({VARIABLE: str(tmp_path / name)}) == {"plugin": [BADGE]}


@pytest.mark.parametrize(
    "content",
    [
        b"{oops",
        b"[]",
        b'"text"',
        b'{"plugin": 5}',
        b'{"a": NaN}',
        b'\xff\xfe{"',
        b'{"a": {env:NUMBER}}',
        b"[" * 100_000,
    ],
)
def test_a_file_that_cannot_be_read_stays_the_one_opencode_is_given(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.json").write_bytes(content)
    refused({VARIABLE: str(tmp_path / "mine.json")})


def test_a_folder_in_the_place_of_the_file_is_no_error(tmp_path: Path) -> None:
    refused({VARIABLE: str(tmp_path)})


def test_a_state_folder_that_cannot_be_used_is_no_error(state: Path) -> None:
    state.write_text("a file stands here")
    assert str(state) in refused({})
