"""Writes docs/reliability.md from a run of the tests (`pytest --write-reliability`, `make reliability`).

Runs where the reports come together: in pytest itself, or in the controller of its workers.
"""

from __future__ import annotations

import datetime
import platform
import subprocess
from typing import cast

import pytest

from tests.kit.counterparts import need
from tests.kit.effort import effort
from tests.kit.figures import PROPERTY
from tests.reliability import page
from tests.reliability.promises import CHAPTERS


class Recorder:
    """A pytest plugin: collects what passed and what was counted, and writes the page if every promise held."""

    def __init__(self) -> None:
        self._run = page.Run()
        self._said = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one test's outcome and figures."""
        test = report.nodeid
        if not any(promise.is_held_by(test) for chapter in CHAPTERS for promise in chapter.promises):
            return
        if report.when == "call" and report.passed:
            self._run.passed.add(test)
        elif not report.passed:
            self._run.failed.add(test)
        if report.when == "call":
            for name, value in report.user_properties:
                if name == PROPERTY:
                    self._run.count(*cast(tuple[str, str, int, int], value))

    def pytest_sessionfinish(self) -> None:
        """Write the page, or say why it stays as it is."""
        self._run.about = _about()
        faults = page.faults(CHAPTERS, self._run)
        if faults:
            self._said = "not written:\n" + "\n".join(faults)
            return
        page.FILE.write_text(page.render(CHAPTERS, self._run), encoding="utf-8")
        self._said = f"{page.FILE} was written from this run"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell which of the two."""
        terminalreporter.section("reliability")
        terminalreporter.line(self._said)


def _about() -> str:
    sshd = subprocess.run([need("ssh"), "-V"], capture_output=True, text=True, check=False).stderr.split(",")[0].strip()
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return (
        f"{today}, {platform.system()} {platform.machine()}, Python {platform.python_version()}, {sshd}; effort:"
        f" `{effort().value}` (`sample` is what `make test` tries, `part` what `make test-all` tries, `all` what"
        " `make torture` tries)."
    )
