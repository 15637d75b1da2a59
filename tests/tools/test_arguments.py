"""Arguments: what fits, and how a bad call is answered. The wordings were seen in OpenCode 1.18.33."""

from __future__ import annotations

import pytest

from pybridge.errors import ToolArgumentsError
from pybridge.tools.arguments import ARGUMENTS, BashArguments, EditArguments, ReadArguments, parse_arguments

pytestmark = pytest.mark.unit

BAD = [
    ("read", {}, 'Missing key\n  at ["filePath"]'),
    ("read", {"filePath": 5}, 'Expected string, got 5\n  at ["filePath"]'),
    ("read", {"filePath": "/a", "offset": -1}, 'Expected a value greater than or equal to 0, got -1\n  at ["offset"]'),
    ("read", {"filePath": "/a", "offset": 1.5}, 'Expected an integer, got 1.5\n  at ["offset"]'),
    ("read", {"filePath": "/a", "offset": "2"}, 'Expected number | undefined, got "2"\n  at ["offset"]'),
    ("read", {"filePath": "/a", "offset": None}, 'Expected number | undefined, got null\n  at ["offset"]'),
    ("read", {"filePath": "/a", "limit": True}, 'Expected number | undefined, got true\n  at ["limit"]'),
    ("bash", {"command": "x", "timeout": 0}, 'Expected a value greater than 0, got 0\n  at ["timeout"]'),
    ("bash", {"command": "x", "workdir": None}, 'Expected string | undefined, got null\n  at ["workdir"]'),
    (
        "edit",
        {"filePath": "a", "oldString": "a", "newString": "b", "replaceAll": "true"},
        'Expected boolean | undefined, got "true"\n  at ["replaceAll"]',
    ),
]


@pytest.mark.parametrize(("tool", "raw", "what"), BAD)
def test_a_bad_call_is_answered_in_the_words_of_the_built_in(tool: str, raw: object, what: str) -> None:
    with pytest.raises(ToolArgumentsError) as caught:
        parse_arguments(tool, raw)
    assert str(caught.value) == (
        f"The {tool} tool was called with invalid arguments: SchemaError({what}).\n"
        "Please rewrite the input so it satisfies the expected schema."
    )


@pytest.mark.parametrize("raw", [None, [], "x"])
def test_arguments_that_are_no_object(raw: object) -> None:
    with pytest.raises(ToolArgumentsError, match="Expected object"):
        parse_arguments("glob", raw)


def test_unknown_keys_are_ignored_and_whole_floats_are_integers() -> None:
    args = parse_arguments("read", {"filePath": "/a", "offset": 5.0, "description": "x"})
    assert isinstance(args, ReadArguments)
    assert (args.offset, args.limit) == (5, None)


def test_optional_keys_may_be_left_out() -> None:
    bash, edit = (
        parse_arguments("bash", {"command": "x"}),
        parse_arguments("edit", {"filePath": "a", "oldString": "b", "newString": "c"}),
    )
    assert isinstance(bash, BashArguments) and isinstance(edit, EditArguments)
    assert (bash.timeout, bash.workdir, edit.replace_all) == (None, None, None)


REQUIRED = {
    "bash": ["command"],
    "glob": ["pattern"],
    "grep": ["pattern"],
    "read": ["filePath"],
    "write": ["content", "filePath"],
    "edit": ["filePath", "oldString", "newString"],
    "apply_patch": ["patchText"],
}
OPTIONAL = {
    "bash": {"timeout", "workdir"},
    "glob": {"path"},
    "grep": {"path", "include"},
    "read": {"offset", "limit"},
    "write": set(),
    "edit": {"replaceAll"},
    "apply_patch": set(),
}


def test_D7_the_schemas_are_those_of_the_seven_tools() -> None:
    assert list(ARGUMENTS) == list(REQUIRED)
    for tool, model in ARGUMENTS.items():
        schema = model.model_json_schema()
        assert schema["required"] == REQUIRED[tool]
        assert set(schema["properties"]) == set(REQUIRED[tool]) | OPTIONAL[tool]
        assert all({"type", "description"} <= set(shape) for shape in schema["properties"].values())
    offset = ReadArguments.model_json_schema()["properties"]["offset"]
    assert (offset["type"], offset["minimum"], offset["maximum"]) == ("integer", 0, 2**53 - 1)
