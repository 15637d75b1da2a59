"""Files of NAME=value lines, as `.env.test` is one."""

from __future__ import annotations

import shlex
from pathlib import Path

from pybridge.errors import ConfigurationError


def read_env_file(path: Path) -> dict[str, str]:
    """Read the variables of a file.

    One `NAME=value` a line, `export` before it allowed; `#` begins a comment at the start of a line or after a space;
    a value may be in single or double quotes, as in a shell. Nothing is expanded.

    Raises:
        ConfigurationError: the file cannot be read, or a line is none of this (named by number, not shown).
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(
            f"{path} cannot be read: {reason}.", next_step="Check the name after --env-file."
        ) from None
    variables: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise ConfigurationError(f"{path}, line {number}: this is not NAME=value.", next_step="Correct the line.")
        variables[name] = _value(value.strip(), path, number)
    return variables


def _value(text: str, path: Path, number: int) -> str:
    if text[:1] not in ("'", '"'):
        return text.partition(" #")[0].rstrip() if not text.startswith("#") else ""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="")
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        words = []
    if len(words) != 1:
        raise ConfigurationError(
            f"{path}, line {number}: the quotes around the value are not closed, or something follows them.",
            next_step="Correct the line.",
        )
    return words[0]
