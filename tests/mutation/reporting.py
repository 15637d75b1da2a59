"""A plugin of the runs in a copied tree: what became of each test, and whether it was the copy that was tested."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

_states: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember how each test went; trouble before or after it is no failure of the test."""
    if report.when == "call" or report.outcome != "passed":
        wrong = "failed" if report.when == "call" else "error"
        _states[report.nodeid] = wrong if report.outcome == "failed" else report.outcome


def pytest_sessionfinish() -> None:
    """Write it all down."""
    copy = Path.cwd()
    files = {
        str(Path(file).resolve())
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in ("pybridge", "tests") and (file := getattr(module, "__file__", None))
    }
    strangers = sorted(file for file in files if not Path(file).is_relative_to(copy.resolve()))
    Path(os.environ["PYBRIDGE_MUTATION_REPORT"]).write_text(json.dumps({"states": _states, "strangers": strangers}))
