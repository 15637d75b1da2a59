"""A home folder of its own for the `pybridge` command, and the command itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pybridge.demo.scratch import scratch_environment

TARGET = {"REMOTE_SSH": "-F none -p 1 someone@127.0.0.1", "REMOTE_WORKDIR": "~/project"}
"""A remote that nothing listens at: for what must work, or fail, before anything is connected."""


@dataclass
class Command:
    """Runs `pybridge` with `home` as home folder.

    Args:
        home: an empty folder.
        environment: further variables of each run.
        python: the interpreter that has pybridge.
    """

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable

    def variables(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**scratch_environment(self.home), "LANG": "C.UTF-8", **self.environment, **(extra or {})}

    def __call__(
        self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end; standard input is empty."""
        return subprocess.run(
            [self.python, "-m", "pybridge", *arguments],
            cwd=cwd or self.home,
            env={name: value for name, value in self.variables(env).items() if value},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=100,
        )

    def files(self) -> set[str]:
        """Every file and link below the home folder."""
        paths = (Path(place, name) for place, _, names in os.walk(self.home) for name in names)
        return {path.relative_to(self.home).as_posix() for path in paths}


@pytest.fixture
def pybridge(tmp_path: Path) -> Command:
    home = tmp_path / "home"
    home.mkdir()
    return Command(home)
