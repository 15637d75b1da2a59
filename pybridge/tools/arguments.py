"""Arguments of the seven tools: what the model may send, and how a bad call is answered.

OpenCode neither checks nor completes the arguments of plugin tools, so it happens here. The names, the required keys
and the wording of a refusal are those of OpenCode 1.18's own tools: a model that knows them needs to learn nothing.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from pybridge.errors import ToolArgumentsError
from pybridge.tools.pydantic_quietly import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer JavaScript holds exactly."""

ArgumentsT = TypeVar("ArgumentsT", bound="Arguments")


def _shown(value: object) -> str:
    """A value as the built-in shows it in a refusal: compact JSON."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace").decode()  # lone surrogates, as JavaScript writes them
    except (RecursionError, ValueError):  # nested deeper, or a number longer, than can be written
        return f"a {type(value).__name__} that cannot be shown"


def _string(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"Expected string, got {_shown(value)}")
    return value


def _optional_string(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"Expected string | undefined, got {_shown(value)}")
    return value


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


_POSITIVE_SCHEMA = {"type": "integer", "exclusiveMinimum": 0, "maximum": MAX_SAFE_INTEGER}
_NOT_NEGATIVE_SCHEMA = {"type": "integer", "minimum": 0, "maximum": MAX_SAFE_INTEGER}

Text = Annotated[str, BeforeValidator(_string)]
# A key may be left out, but null is no string: the defaults below are never validated, so None only means "left out".
OptionalText = Annotated[str | None, BeforeValidator(_optional_string), WithJsonSchema({"type": "string"})]
OptionalFlag = Annotated[bool | None, BeforeValidator(_optional_boolean), WithJsonSchema({"type": "boolean"})]
OptionalPositive = Annotated[int | None, BeforeValidator(_positive), WithJsonSchema(_POSITIVE_SCHEMA)]
OptionalNotNegative = Annotated[int | None, BeforeValidator(_not_negative), WithJsonSchema(_NOT_NEGATIVE_SCHEMA)]


def _tidy(schema: dict[str, Any]) -> None:
    """Leave in a JSON schema only what a model needs: no titles, no null defaults, no Python docstring."""
    schema.pop("title", None)
    schema.pop("description", None)
    schema.setdefault("required", [])
    for shape in schema.get("properties", {}).values():
        shape.pop("title", None)
        shape.pop("default", None)


class Arguments(BaseModel):
    """Base of all arguments: unknown keys are ignored, values are never changed into another type."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, json_schema_extra=_tidy)


class BashArguments(Arguments):
    """Arguments of bash; `timeout` in milliseconds."""

    command: Text = Field(description="The shell command line to run")
    timeout: OptionalPositive = Field(None, description="Milliseconds after which the command is ended")
    workdir: OptionalText = Field(
        None, description="Folder to run the command in, in place of `cd`. Without it: the project folder."
    )


class GlobArguments(Arguments):
    """Arguments of glob."""

    pattern: Text = Field(description="Glob pattern that file names are matched against")
    path: OptionalText = Field(None, description="Folder to look in. Leave it out for the project folder.")


class GrepArguments(Arguments):
    """Arguments of grep."""

    pattern: Text = Field(description="Regular expression to look for in file contents")
    path: OptionalText = Field(None, description="Folder or file to look in. Leave it out for the project folder.")
    include: OptionalText = Field(None, description='Glob pattern of the files to look at, as in "*.py" or "*.{c,h}"')


class ReadArguments(Arguments):
    """Arguments of read; `offset` is the first line (or folder entry), counted from 1."""

    file_path: Text = Field(alias="filePath", description="Absolute path of the file or folder")
    offset: OptionalNotNegative = Field(None, description="First line to show, counted from 1")
    limit: OptionalNotNegative = Field(None, description="How many lines to show at most (2000 when left out)")


class WriteArguments(Arguments):
    """Arguments of write."""

    content: Text = Field(description="The whole new content of the file")
    file_path: Text = Field(alias="filePath", description="Absolute path of the file")


class EditArguments(Arguments):
    """Arguments of edit."""

    file_path: Text = Field(alias="filePath", description="Absolute path of the file to change")
    old_string: Text = Field(alias="oldString", description="The text to be replaced")
    new_string: Text = Field(alias="newString", description="The text to put there, different from oldString")
    replace_all: OptionalFlag = Field(
        None, alias="replaceAll", description="Replace every occurrence of oldString (false when left out)"
    )


class ApplyPatchArguments(Arguments):
    """Arguments of apply_patch."""

    patch_text: Text = Field(alias="patchText", description="The whole patch: every change to every file")


ARGUMENTS: dict[str, type[Arguments]] = {
    "bash": BashArguments,
    "glob": GlobArguments,
    "grep": GrepArguments,
    "read": ReadArguments,
    "write": WriteArguments,
    "edit": EditArguments,
    "apply_patch": ApplyPatchArguments,
}
"""The arguments model of each tool, by the name OpenCode calls it."""


def parse_arguments(tool: str, raw: object) -> Arguments:
    """Check the arguments of one call.

    Args:
        tool: one of ARGUMENTS.
        raw: what the model sent, decoded from JSON.

    Raises:
        ToolArgumentsError: they do not fit; worded as OpenCode words it, naming the first key that does not.
    """
    model = ARGUMENTS[tool]
    if not isinstance(raw, dict):
        raise _refusal(tool, f"Expected object, got {_shown(raw)}", ())
    known = {field.alias or name for name, field in model.model_fields.items()}
    try:
        return model.model_validate({key: value for key, value in raw.items() if key in known})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    if first["type"] == "missing":
        raise _refusal(tool, "Missing key", first["loc"])
    raise _refusal(tool, str(first.get("ctx", {}).get("error", first["msg"])), first["loc"])


def _refusal(tool: str, what: str, path: tuple[int | str, ...]) -> ToolArgumentsError:
    where = f"\n  at {''.join(f'[{_shown(key)}]' for key in path)}" if path else ""
    return ToolArgumentsError(
        f"The {tool} tool was called with invalid arguments: SchemaError({what}{where}).\n"
        "Please rewrite the input so it satisfies the expected schema."
    )
