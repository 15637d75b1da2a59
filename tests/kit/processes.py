"""Which processes run with a given home folder: how a test finds what an OpenCode run left behind."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.kit.counterparts import missing


@dataclass(frozen=True)
class Running:
    """One process: its id and command line."""

    pid: int
    command: str


def with_home(home: Path) -> list[Running]:
    """Every process whose environment has HOME set to `home`."""
    if not Path("/proc/self/environ").exists():
        missing("there is no /proc with the environment of processes (Linux has it)")
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if f"HOME={home}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append(Running(int(folder.name), command))
        except OSError:
            continue  # ended meanwhile, or another user's
    return found


def wait_until_none(home: Path, seconds: float = 15.0) -> list[Running]:
    """Wait until no such process is left; returns those that are left all the same."""
    deadline = time.monotonic() + seconds
    while (left := with_home(home)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def with_home_below(folder: Path) -> list[Running]:
    """Every process whose environment has HOME set to `folder` or something in it."""
    return [running for home in _homes() if home.is_relative_to(folder) for running in with_home(home)]


def _homes() -> set[Path]:
    homes = set()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = environ.read_bytes().split(b"\0")
        except OSError:
            continue
        homes |= {Path(os.fsdecode(v.removeprefix(b"HOME="))) for v in variables if v.startswith(b"HOME=")}
    return homes
