"""The registry, the results' form on the wire, and the table of differences."""

from __future__ import annotations

import json

import pytest

from pybridge.errors import ToolError
from pybridge.tools.arguments import ARGUMENTS
from pybridge.tools.context import Attachment, ToolResult
from pybridge.tools.differences import DIFFERENCES
from pybridge.tools.registry import TOOLS
from tests.tools.kit import Desk

pytestmark = pytest.mark.unit


async def test_D7_exactly_the_seven_tools(desk: Desk) -> None:
    assert set(TOOLS) == {"bash", "glob", "grep", "read", "write", "edit", "apply_patch"} == set(ARGUMENTS)
    with pytest.raises(ToolError, match="no tool 'shell'"):
        await desk("shell")


def test_a_result_is_json_whatever_names_it_holds() -> None:
    result = ToolResult("t\udcff", "é\udce9\ud800", {"files": [{"path": "a\udcff"}], "n": 1, "none": None})
    assert json.loads(json.dumps(result.to_json(), ensure_ascii=False).encode()) == {
        "title": "t\ufffd",
        "output": "é\ufffd\ufffd",
        "metadata": {"files": [{"path": "a\ufffd"}], "n": 1, "none": None},
    }


def test_attachments_are_in_opencodes_form() -> None:
    result = ToolResult("t", "o", attachments=(Attachment("image/png", "data:x"),))
    assert result.to_json()["attachments"] == [{"type": "file", "mime": "image/png", "url": "data:x"}]


def test_law_10_every_difference_has_a_name_of_its_own_and_says_why() -> None:
    assert len({d.name for d in DIFFERENCES}) == len(DIFFERENCES)
    assert all(part.strip() for d in DIFFERENCES for part in (d.name, d.builtin, d.ours, d.why))
