from __future__ import annotations

from typing import Any

import pytest

from pybridge.editing.js_text import leading_whitespace, trim
from pybridge.editing.line_diff import count_changes
from pybridge.editing.unified_diff import (
    display_diff,
    edit_diff,
    patch_diff,
    removal_diff,
    trim_indentation,
    unified_diff,
)
from tests.editing.recorded import recorded

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("case", recorded("diff"))
def test_the_diff_is_that_of_the_npm_package(case: dict[str, Any]) -> None:
    diff = unified_diff(case["path"], case["old"], case["new"])
    assert diff == case["want"]["patch"]
    assert trim_indentation(diff) == case["want"]["trimmed"]
    shown = patch_diff(case["path"], case["old"], case["new"])
    assert (shown.additions, shown.deletions) == (case["want"]["additions"], case["want"]["deletions"])


TEXTS = [
    "",
    "a",
    "a\n",
    "\n",
    "\n\n",
    " a\n  b",
    "  a\n\n  b\n",
    "\ta\r\n\tb\r\n",
    "++x\n  y\n",
    "--\n",
    "\ufeffa\n",
    "  ++\n\v",
]


@pytest.mark.parametrize("new", TEXTS)
@pytest.mark.parametrize("old", TEXTS)
def test_short_ways_give_the_same_diff(old: str, new: str) -> None:
    found = patch_diff("/f", old, new)
    diff = unified_diff("/f", old, new)
    body = [
        n for n, line in enumerate(diff.split("\n")) if line[:1] in ("+", "-", " ") and line[:3] not in ("---", "+++")
    ]
    lines = diff.split("\n")
    depths = [leading_whitespace(lines[n][1:]) for n in body if trim(lines[n][1:])]
    shared = min(depths, default=0)
    for n in body:
        lines[n] = lines[n][0] + lines[n][1 + shared :]
    assert found.patch == "\n".join(lines)
    assert (found.additions, found.deletions) == count_changes(old, new)


def test_the_diff_of_an_edit_shows_lf_but_counts_the_real_lines() -> None:
    diff = edit_diff("/f", "a\r\nb\r\n", "a\r\nc\n")
    assert diff.patch.endswith("@@ -1,2 +1,2 @@\n a\n-b\n+c\n")
    assert (diff.additions, diff.deletions) == (1, 1)
    assert edit_diff("/f", "a\r\n", "a\n").patch == display_diff("/f", "", "")


def test_a_removed_file_counts_what_follows_the_last_newline() -> None:
    assert removal_diff("/f", "a\nb\n").deletions == 3
    assert removal_diff("/f", "a\nb\n").patch.endswith("@@ -1,2 +0,0 @@\n-a\n-b\n")
