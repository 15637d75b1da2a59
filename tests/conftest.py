"""Fixtures for every test: private SSH servers that live as long as the test run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from tests.kit.sshd import SshServer, start_dropbear, start_openssh

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("pybridge", deadline=None)
hypothesis.settings.load_profile("pybridge")


@pytest.fixture(scope="session")
def openssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """OpenSSH's sshd with its usual limits."""
    server = start_openssh(tmp_path_factory.mktemp("openssh"), ["MaxStartups 50"])
    yield server
    server.stop()


@pytest.fixture(scope="session")
def dropbear(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """dropbear with its usual limits."""
    server = start_dropbear(tmp_path_factory.mktemp("dropbear"))
    yield server
    server.stop()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--write-matrix`, for `make matrix`; `--write-reliability`, for `make reliability`."""
    parser.addoption("--write-matrix", action="store_true", help="write the table of docs/servers.md from this run")
    parser.addoption("--write-reliability", action="store_true", help="write docs/reliability.md from this run")


def pytest_configure(config: pytest.Config) -> None:
    """Record where the reports of all workers come together."""
    if hasattr(config, "workerinput"):
        return
    if config.getoption("--write-matrix"):
        from tests.matrix.recorder import Recorder as MatrixRecorder

        config.pluginmanager.register(MatrixRecorder())
    if config.getoption("--write-reliability"):
        from tests.reliability.recorder import Recorder as ReliabilityRecorder

        config.pluginmanager.register(ReliabilityRecorder())


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what tests told (`request.node.user_properties.append(("told", TEXT))`), also those of other workers."""
    told = [
        text
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        if report.when == "call"
        for name, text in report.user_properties
        if name == "told"
    ]
    if told:
        terminalreporter.section("told by the tests")
        for text in told:
            terminalreporter.line(text)
