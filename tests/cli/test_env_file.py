"""Files of variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybridge.cli.env_file import read_env_file
from pybridge.errors import ConfigurationError

pytestmark = pytest.mark.unit


def read(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "env"
    path.write_text(text, encoding="utf-8")
    return read_env_file(path)


def test_the_forms_people_write(tmp_path: Path) -> None:
    lines = [
        "\ufeff# comment",
        "",
        "export A=1",
        "B='two words # no comment'",
        'C="x\\"y" # comment',
        "D=p#ss w$rd # c",
    ]
    text = "\n".join([*lines, "E=", "F= a=b ", ""])
    assert read(tmp_path, text) == {
        "A": "1",
        "B": "two words # no comment",
        "C": 'x"y',
        "D": "p#ss w$rd",
        "E": "",
        "F": "a=b",
    }


@pytest.mark.parametrize("line", ["just words", "=x", "A='open", "A='x' y", "1A=x"])
def test_other_lines_are_refused_by_number_and_not_shown(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigurationError, match="line 2") as caught:
        read(tmp_path, f"GOOD=1\n{line}\n")
    assert line not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        read_env_file(tmp_path / "nowhere")
