"""Which instruction files a conversation holds: counted as OpenCode's own read counts them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.plugin.kit import node

MODULE = Path(__file__).parents[2] / "plugin" / "instructions.js"


def held(messages: Any) -> list[str]:
    program = f"""
import {{ heldInstructions }} from {json.dumps(str(MODULE))}
console.log(JSON.stringify(heldInstructions({json.dumps(messages)})))
"""
    command = [node(), "--input-type=module", "--eval", program]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)


def read(*loaded: object, tool: str = "read", status: str = "completed", **time: int) -> dict[str, Any]:
    return {"type": "tool", "tool": tool, "state": {"status": status, "time": time, "metadata": {"loaded": loaded}}}


def test_what_completed_reads_told_that_are_still_there() -> None:
    text = {"type": "text", "text": "hello"}
    messages = [
        {"parts": [text, read("/w/a/AGENTS.md"), read("/w/b/AGENTS.md", "/w/a/AGENTS.md", 5)]},
        {"parts": [read("/w/c/AGENTS.md", compacted=1), read("/w/d/AGENTS.md", tool="other")]},
        {"parts": [read("/w/e/AGENTS.md", status="running"), {"type": "tool", "tool": "read"}]},
        {},
    ]
    assert held(messages) == ["/w/a/AGENTS.md", "/w/b/AGENTS.md"]
    assert held(None) == []
