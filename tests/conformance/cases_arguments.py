"""Scripted cases of bad arguments: missing, extra, of the wrong type, not JSON."""

from __future__ import annotations

from typing import Any

from tests.conformance.case import HERE, Case, Step, case

_BAD: dict[str, tuple[str, Any]] = {
    "bash-none": ("bash", {}),
    "bash-command-number": ("bash", {"command": 5}),
    "bash-command-null": ("bash", {"command": None}),
    "bash-timeout-zero": ("bash", {"command": "true", "timeout": 0}),
    "bash-timeout-negative": ("bash", {"command": "true", "timeout": -5}),
    "bash-timeout-string": ("bash", {"command": "true", "timeout": "1000"}),
    "bash-timeout-fraction": ("bash", {"command": "true", "timeout": 1.5}),
    "bash-workdir-null": ("bash", {"command": "true", "workdir": None}),
    "read-none": ("read", {}),
    "read-path-number": ("read", {"filePath": 5}),
    "read-path-list": ("read", {"filePath": ["a", "b"]}),
    "read-offset-string": ("read", {"filePath": f"{HERE}/f", "offset": "2"}),
    "read-limit-string": ("read", {"filePath": f"{HERE}/f", "limit": "2"}),
    "read-offset-fraction": ("read", {"filePath": f"{HERE}/f", "offset": 1.5}),
    "read-offset-negative": ("read", {"filePath": f"{HERE}/f", "offset": -1}),
    "read-offset-null": ("read", {"filePath": f"{HERE}/f", "offset": None}),
    "read-offset-true": ("read", {"filePath": f"{HERE}/f", "offset": True}),
    "read-offset-whole-float": ("read", f'{{"filePath": "{HERE}/f", "offset": 2.0}}'),
    "read-offset-huge": ("read", f'{{"filePath": "{HERE}/f", "offset": 1e300}}'),
    "read-offset-unsafe": ("read", f'{{"filePath": "{HERE}/f", "offset": 9007199254740993}}'),
    "read-two-wrong": ("read", {"filePath": 1, "offset": "x"}),
    "read-other-spelling": ("read", {"file_path": f"{HERE}/f"}),
    "read-extra": ("read", {"filePath": f"{HERE}/f", "lines": 5, "encoding": "utf-8"}),
    "glob-none": ("glob", {}),
    "glob-pattern-number": ("glob", {"pattern": 1}),
    "glob-path-null": ("glob", {"pattern": "*", "path": None}),
    "glob-extra": ("glob", {"pattern": "*.none", "path": HERE, "depth": 3}),
    "grep-none": ("grep", {}),
    "grep-pattern-empty": ("grep", {"pattern": ""}),
    "grep-pattern-list": ("grep", {"pattern": ["a"]}),
    "grep-include-number": ("grep", {"pattern": "a", "include": 1}),
    "grep-path-object": ("grep", {"pattern": "a", "path": {"a": '\u00e9"'}}),
    "write-none": ("write", {}),
    "write-no-content": ("write", {"filePath": f"{HERE}/w"}),
    "write-no-path": ("write", {"content": "x"}),
    "write-content-object": ("write", {"filePath": f"{HERE}/w", "content": {"a": 1}}),
    "write-content-number": ("write", {"filePath": f"{HERE}/w", "content": 7}),
    "write-empty-path": ("write", {"filePath": "", "content": "x"}),
    "write-extra": ("write", {"filePath": f"{HERE}/w", "content": "x", "mode": "0755"}),
    "edit-none": ("edit", {}),
    "edit-no-new": ("edit", {"filePath": f"{HERE}/f", "oldString": "a"}),
    "edit-old-number": ("edit", {"filePath": f"{HERE}/f", "oldString": 1, "newString": "b"}),
    "edit-replace-all-string": (
        "edit",
        {"filePath": f"{HERE}/f", "oldString": "a", "newString": "b", "replaceAll": "true"},
    ),
    "edit-replace-all-null": (
        "edit",
        {"filePath": f"{HERE}/f", "oldString": "a", "newString": "b", "replaceAll": None},
    ),
    "edit-empty-path": ("edit", {"filePath": "", "oldString": "a", "newString": "b"}),
    "edit-extra": ("edit", {"filePath": f"{HERE}/f", "oldString": "a", "newString": "b", "reason": "why"}),
    "apply-patch-none": ("apply_patch", {}),
    "apply-patch-number": ("apply_patch", {"patchText": 3}),
    "apply-patch-other-name": ("apply_patch", {"patch": "*** Begin Patch\n*** End Patch"}),
    "not-json": ("read", '{"filePath": '),
    "a-list": ("read", '["f"]'),
    "a-string": ("read", '"f"'),
    "null": ("read", "null"),
    "bash-as-array": ("bash", '["ls"]'),
}

CASES: tuple[Case, ...] = tuple(
    case(f"arguments-{id}", Step(tool, arguments), files={"f": b"a\nb\nc\n"}) for id, (tool, arguments) in _BAD.items()
)
