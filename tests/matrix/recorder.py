"""Writes the table of docs/servers.md from what the cells' tests told (`pytest --write-matrix`, `make matrix`).

Runs where the reports come together: in pytest itself, or in the controller of its workers.
"""

from __future__ import annotations

from typing import cast

import pytest

from tests.matrix import table
from tests.matrix.every import COLUMNS
from tests.matrix.rows import ROWS


class Recorder:
    """A pytest plugin: collects verdicts, and writes the table once every cell has one."""

    def __init__(self) -> None:
        self._verdicts: dict[tuple[str, str], str] = {}
        self._said = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the verdict of a cell that passed."""
        if report.when == "call" and report.passed:
            for name, value in report.user_properties:
                if name == "matrix":
                    column, row, verdict = cast(list[str], value)
                    self._verdicts[column, row] = verdict

    def pytest_sessionfinish(self) -> None:
        """Write the table, or say why it stays as it is."""
        lacking = [f"{c.name} / {r.name}" for c in COLUMNS for r in ROWS if (c.name, r.name) not in self._verdicts]
        if lacking:
            self._said = f"not written, since these cells are not green: {', '.join(lacking)}"
            return
        table.write(table.render(COLUMNS, ROWS, self._verdicts))
        self._said = f"{table.FILE} has the table of this run"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell which of the two."""
        terminalreporter.section("matrix")
        terminalreporter.line(self._said)
