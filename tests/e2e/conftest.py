"""One sshd out of local reach, one independent look at it, and the real OpenCode, for every end-to-end test."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

import pybridge
from tests.kit.opencode import OpenCodeHome, opencode_binary
from tests.kit.processes import wait_until_none
from tests.kit.remote_truth import RemoteTruth
from tests.kit.sshd import SshServer, start_openssh

LAUNCH = (sys.executable, "-m", "pybridge", "launch", "--")
"""What starts OpenCode on the remote."""


class MakeHome(Protocol):
    """Makes an OpenCode home, and checks at the test's end that no process of it is left."""

    def __call__(
        self, *, config: Mapping[str, Any] = ..., environment: Mapping[str, str] = ..., binary: Path | None = ...
    ) -> OpenCodeHome: ...


@dataclass(frozen=True)
class Remote:
    """The sshd of these tests.

    Args:
        server: how to reach it.
        work: where the work folders are; an empty file system of its own for the remote, so that what this machine
            sees at that path is an empty folder.
    """

    server: SshServer
    work: Path


@pytest.fixture(scope="session")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    folder = tmp_path_factory.mktemp("remote")
    work, home = folder / "work", folder / "home"
    work.mkdir()
    home.mkdir()
    server = start_openssh(folder / "sshd", ["PasswordAuthentication yes"], hidden=[work], home=home)
    yield Remote(server, work)
    server.stop()


@pytest.fixture(scope="session")
def truth(remote: Remote) -> Iterator[RemoteTruth]:
    server = remote.server
    with RemoteTruth(
        "127.0.0.1", server.port, server.user, known_hosts=server.known_hosts, identity_file=server.key
    ) as connection:
        yield connection


@pytest.fixture(autouse=True)
def nothing_appears_locally(request: pytest.FixtureRequest) -> Iterator[None]:
    """The remote's work folder, as this machine sees it, stays empty: what the tests see there came over SSH."""
    remote: Remote | None = request.getfixturevalue("remote") if "remote" in request.fixturenames else None
    yield
    if remote is not None:
        assert list(remote.work.iterdir()) == []


@pytest.fixture
def workdir(remote: Remote, truth: RemoteTruth, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty folder on the remote."""
    folder = f"{remote.work}/{request.node.originalname}"
    truth.remove(folder)
    truth.make_folder(folder)
    yield folder
    truth.remove(folder)


@pytest.fixture
def settings(remote: Remote, workdir: str) -> dict[str, str]:
    """REMOTE_* for that folder."""
    return {"REMOTE_SSH": remote.server.ssh_command, "REMOTE_WORKDIR": workdir}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of pybridge that may be damaged; used through PYTHONPATH."""
    source = Path(pybridge.__file__).parents[1]
    for name in ("pybridge", "plugin", "launchers"):
        shutil.copytree(source / name, tmp_path / "checkout" / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "checkout"


@pytest.fixture
def make_home(tmp_path: Path) -> Iterator[MakeHome]:
    homes: list[OpenCodeHome] = []

    def make(
        *,
        config: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        binary: Path | None = None,
    ) -> OpenCodeHome:
        home = OpenCodeHome(
            tmp_path / f"opencode-{len(homes)}",
            binary or opencode_binary(),
            config or {},
            environment=environment or {},
        )
        homes.append(home)
        return home

    yield make
    for home in homes:
        assert wait_until_none(home.home) == []
