"""The two sides, and what was played on them: each started once, every case of the run played before the first test."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.conformance.case import Case
from tests.conformance.side import Played, builtin_side, our_side
from tests.kit.sshd import start_openssh


@dataclass(frozen=True)
class Stage:
    """What was played.

    Args:
        theirs: what came of each case with OpenCode's own tools, by id.
        ours: with our plugin, over SSH.
        calls: tool calls on each side.
        seconds: how long playing took.
        left_locally: what this machine has at the path of the workdir, where only the two sides have files.
    """

    theirs: dict[str, Played]
    ours: dict[str, Played]
    calls: int
    seconds: float
    left_locally: tuple[str, ...]


@pytest.fixture(scope="session")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Everything that the tests of this run look at, played."""
    cases = _wanted(request.session.items)
    folder = tmp_path_factory.mktemp("conformance")
    work, home = folder / "work", folder / "home"
    work.mkdir()
    home.mkdir()
    server = start_openssh(folder / "sshd", ["MaxStartups 50"], hidden=[work], home=home)
    try:
        with builtin_side(folder / "builtin", work) as theirs, our_side(folder / "ours", work, server) as ours:
            started = time.monotonic()
            with ThreadPoolExecutor() as pool:
                there, here = pool.submit(theirs.play, cases), pool.submit(ours.play, cases)
                played = there.result(), here.result()
            seconds = time.monotonic() - started
        assert theirs.calls == ours.calls
        yield Stage(*played, ours.calls, seconds, tuple(path.name for path in work.iterdir()))
    finally:
        server.stop()


def _wanted(items: Sequence[pytest.Item]) -> list[Case]:
    """The cases that the collected tests look at: the parameter `cases` of each."""
    wanted: dict[str, Case] = {}
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is not None and "stage" in getattr(item, "fixturenames", ()):
            wanted |= {case.id: case for case in callspec.params.get("cases", ())}
    return list(wanted.values())
