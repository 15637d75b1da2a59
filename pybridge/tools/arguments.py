"""Arguments of the seven tools: what the model may send, and how a bad call is answered.

OpenCode neither checks nor completes the arguments of plugin tools, so it happens here. The names, the required keys
and the wording of a refusal are those of OpenCode 1.18's own tools: a model that knows them needs to learn nothing.

There is little to it, so no library is used: each costs megabytes, and part of the start.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from pybridge.errors import ToolArgumentsError

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer JavaScript holds exactly."""


def _shown(value: object) -> str:
    """A value as the built-in shows it in a refusal: compact JSON."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace").decode()  # lone surrogates, as JavaScript writes them
    except (RecursionError, ValueError):  # nested deeper, or a number longer, than can be written
        return f"a {type(value).__name__} that cannot be shown"


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which no remote could be sent
        raise ValueError("Input should be a valid string, unable to parse raw data as a unicode string") from None
    return text


def _string(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"Expected string, got {_shown(value)}")
    return _encodable(value)


def _optional_string(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"Expected string | undefined, got {_shown(value)}")
    return _encodable(value)


def _optional_boolean(value: object) -> object:
    if not isinstance(value, bool):
        raise ValueError(f"Expected boolean | undefined, got {_shown(value)}")
    return value


def _integer(value: object, low: int, bound: str) -> int:
    # A JSON number has one type in JavaScript: 5.0 is the integer 5, and true is no number.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"Expected number | undefined, got {_shown(value)}")
    if not abs(value) <= MAX_SAFE_INTEGER or value != int(value):
        raise ValueError(f"Expected an integer, got {_shown(value)}")
    if value < low:
        raise ValueError(f"Expected a value greater than {bound}, got {_shown(value)}")
    return int(value)


def _positive(value: object) -> int:
    return _integer(value, 1, "0")


def _not_negative(value: object) -> int:
    return _integer(value, 0, "or equal to 0")


class _UnfitError(ValueError):
    """A key does not fit; the first one that does not."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key = key


@dataclass(frozen=True)
class Key:
    """One key of a tool's arguments: its name, what a value is checked and made right by, its JSON schema."""

    name: str
    check: Callable[[object], object]
    schema: dict[str, Any]


def _required(name: str, description: str) -> Any:
    return dataclasses.field(metadata={"key": Key(name, _string, {"description": description, "type": "string"})})


def _optional(name: str, description: str, check: Callable[[object], object], **schema: object) -> Any:
    # A key may be left out, but null is no string: None only ever means "left out".
    return dataclasses.field(default=None, metadata={"key": Key(name, check, {"description": description, **schema})})


def _text(name: str, description: str) -> Any:
    return _optional(name, description, _optional_string, type="string")


def _flag(name: str, description: str) -> Any:
    return _optional(name, description, _optional_boolean, type="boolean")


def _positive_number(name: str, description: str) -> Any:
    return _optional(name, description, _positive, exclusiveMinimum=0, maximum=MAX_SAFE_INTEGER, type="integer")


def _number(name: str, description: str) -> Any:
    return _optional(name, description, _not_negative, maximum=MAX_SAFE_INTEGER, minimum=0, type="integer")


@dataclass(frozen=True)
class Arguments:
    """Base of all arguments: unknown keys are ignored, values are never changed into another type."""

    @classmethod
    def keys(cls) -> dict[str, Key]:
        """The keys, in the order they are checked in, by the names of the attributes."""
        return {field.name: field.metadata["key"] for field in dataclasses.fields(cls)}

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """What a model needs to know of them, as JSON schema."""
        return {
            "properties": {key.name: key.schema for key in cls.keys().values()},
            "required": [key.name for key in cls.keys().values() if key.check is _string],
            "type": "object",
        }

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Self:
        """Those that a call names.

        Raises:
            _UnfitError: one of them does not fit.
        """
        values = {}
        for attribute, key in cls.keys().items():
            if key.name in raw:
                try:
                    values[attribute] = key.check(raw[key.name])
                except ValueError as error:
                    raise _UnfitError(key.name, str(error)) from None
            elif key.check is _string:
                raise _UnfitError(key.name, "Missing key")
        return cls(**values)


@dataclass(frozen=True)
class BashArguments(Arguments):
    """Arguments of bash; `timeout` in milliseconds."""

    command: str = _required("command", "The shell command line to run")
    timeout: int | None = _positive_number("timeout", "Milliseconds after which the command is ended")
    workdir: str | None = _text(
        "workdir", "Folder to run the command in, in place of `cd`. Without it: the project folder."
    )


@dataclass(frozen=True)
class GlobArguments(Arguments):
    """Arguments of glob."""

    pattern: str = _required("pattern", "Glob pattern that file names are matched against")
    path: str | None = _text("path", "Folder to look in. Leave it out for the project folder.")


@dataclass(frozen=True)
class GrepArguments(Arguments):
    """Arguments of grep."""

    pattern: str = _required("pattern", "Regular expression to look for in file contents")
    path: str | None = _text("path", "Folder or file to look in. Leave it out for the project folder.")
    include: str | None = _text("include", 'Glob pattern of the files to look at, as in "*.py" or "*.{c,h}"')


@dataclass(frozen=True)
class ReadArguments(Arguments):
    """Arguments of read; `offset` is the first line (or folder entry), counted from 1."""

    file_path: str = _required("filePath", "Absolute path of the file or folder")
    offset: int | None = _number("offset", "First line to show, counted from 1")
    limit: int | None = _number("limit", "How many lines to show at most (2000 when left out)")


@dataclass(frozen=True)
class WriteArguments(Arguments):
    """Arguments of write."""

    content: str = _required("content", "The whole new content of the file")
    file_path: str = _required("filePath", "Absolute path of the file")


@dataclass(frozen=True)
class EditArguments(Arguments):
    """Arguments of edit."""

    file_path: str = _required("filePath", "Absolute path of the file to change")
    old_string: str = _required("oldString", "The text to be replaced")
    new_string: str = _required("newString", "The text to put there, different from oldString")
    replace_all: bool | None = _flag("replaceAll", "Replace every occurrence of oldString (false when left out)")


@dataclass(frozen=True)
class ApplyPatchArguments(Arguments):
    """Arguments of apply_patch."""

    patch_text: str = _required("patchText", "The whole patch: every change to every file")


ARGUMENTS: dict[str, type[Arguments]] = {
    "bash": BashArguments,
    "glob": GlobArguments,
    "grep": GrepArguments,
    "read": ReadArguments,
    "write": WriteArguments,
    "edit": EditArguments,
    "apply_patch": ApplyPatchArguments,
}
"""The arguments of each tool, by the name OpenCode calls it."""


def parse_arguments(tool: str, raw: object) -> Arguments:
    """Check the arguments of one call.

    Args:
        tool: one of ARGUMENTS.
        raw: what the model sent, decoded from JSON.

    Raises:
        ToolArgumentsError: they do not fit; worded as OpenCode words it, naming the first key that does not.
    """
    if not isinstance(raw, dict):
        raise _refusal(tool, f"Expected object, got {_shown(raw)}")
    try:
        return ARGUMENTS[tool].of(raw)
    except _UnfitError as error:
        raise _refusal(tool, str(error), error.key) from None


def _refusal(tool: str, what: str, key: str | None = None) -> ToolArgumentsError:
    where = "" if key is None else f"\n  at [{_shown(key)}]"
    return ToolArgumentsError(
        f"The {tool} tool was called with invalid arguments: SchemaError({what}{where}).\n"
        "Please rewrite the input so it satisfies the expected schema."
    )
