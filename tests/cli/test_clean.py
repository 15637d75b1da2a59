"""`pybridge clean`: what it takes, and what it never takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Command

pytestmark = [pytest.mark.unit, pytest.mark.skipif(os.name == "nt", reason="folders as on Linux")]

STATE = ".local/state/pybridge"
TAKEN = {
    ".opencode/mirrors/host/root/in/file": 3000,
    f"{STATE}/output/output-old.txt": 2000,
    f"{STATE}/log/pybridge.log.1": 100,
}
KEPT = {
    f"{STATE}/output/output-young.txt": 50,
    f"{STATE}/temporaries/host/temporary-1.json": 50,
    f"{STATE}/log/pybridge.log": 50,
    f"{STATE}/log/pybridge.log.lock": 0,
    ".opencode/remote-sessions/host/.git": 10,
    ".config/opencode/opencode.json": 10,
}


@pytest.fixture
def used(pybridge: Command) -> Command:
    for name, size in {**TAKEN, **KEPT}.items():
        path = pybridge.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    old = pybridge.home / STATE / "output" / "output-old.txt"
    os.utime(old, (1, 1))
    return pybridge


def test_secrets_fifos_are_taken_when_nobody_has_them_open(pybridge: Command) -> None:
    folder = pybridge.home / STATE / "handover"
    folder.mkdir(parents=True)
    for name in ("secrets-left", "secrets-held"):
        os.mkfifo(folder / name, 0o600)
    held = os.open(folder / "secrets-held", os.O_RDWR | os.O_NONBLOCK)
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    try:
        ran = pybridge("clean", "--yes")
    finally:
        os.close(held)
    assert ran.returncode == 0, ran.stderr
    assert [path.name for path in folder.iterdir()] == ["secrets-held"]


def test_it_takes_what_can_be_had_again(used: Command) -> None:
    ran = used("clean", "--yes")
    assert ran.returncode == 0, ran.stderr
    assert used.files() == set(KEPT)
    assert "2.9 KB  mirror: " in ran.stdout
    assert "5.0 KB" in ran.stderr
    assert "less than an hour old" in ran.stderr
    again = used("clean").stderr
    assert "nothing to clean" in again
    assert "less than an hour old" in again


def test_it_speaks_of_young_outputs_only_where_there_are_some(used: Command) -> None:
    (used.home / STATE / "output" / "output-young.txt").unlink()
    assert "hour" not in used("clean", "--dry-run").stderr


@pytest.mark.parametrize("options", [["--dry-run"], ["--dry-run", "--yes"], []])
def test_it_takes_nothing_when_only_asked_or_not_answered(used: Command, options: list[str]) -> None:
    ran = used("clean", *options)
    assert used.files() == {*TAKEN, *KEPT}
    assert str(Path(".opencode") / "mirrors" / "host") in ran.stdout
    assert ran.returncode == (0 if options else 1)
