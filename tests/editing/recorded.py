"""Cases recorded from OpenCode itself: inputs with what its own functions answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent / "fixtures"


def recorded(name: str) -> list[dict[str, Any]]:
    """The cases in `fixtures/NAME.json`."""
    cases = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))["cases"]
    assert cases, name
    return cases
