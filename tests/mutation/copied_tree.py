"""A copy of the package and its tests, changed for a moment, with the tests run against the copy."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.mutations import Mutation

ROOT = Path(__file__).resolve().parents[2]
TEST_SECONDS = 60
"""A test that takes longer hangs, and so has failed."""


@dataclass(frozen=True)
class Outcome:
    """What became of some tests.

    Args:
        states: by test id: passed, failed, skipped, or error (it failed before or after the test itself).
        strangers: files of the package that were imported from elsewhere than the copy.
        said: all that pytest wrote.
    """

    states: dict[str, str]
    strangers: tuple[str, ...]
    said: str

    def of(self, test: str) -> set[str]:
        """The states of a test with all its parameters, or of one of its cases."""
        return {state for name, state in self.states.items() if name == test or name.startswith(f"{test}[")}


class CopiedTree:
    """The copy.

    Args:
        folder: an empty one for it.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "copy"
        self._report = folder / "report.json"
        self._temporary = folder / "temporary"
        for name in ("pybridge", "tests", "plugin"):
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("node_modules"))
        shutil.copy2(ROOT / "pyproject.toml", self.root)

    @contextlib.contextmanager
    def with_mutation(self, mutation: Mutation) -> Iterator[None]:
        """The copy, mutated for the body."""
        file = self.root / mutation.file
        original = file.read_bytes()
        file.write_text(mutation.applied_to(original.decode()))
        try:
            yield
        finally:
            file.write_bytes(original)

    def environment(self, *, require: bool) -> dict[str, str]:
        """Variables with which every Python, that of a subprocess too, imports the copy.

        Args:
            require: as the caller was told; otherwise a missing counterpart would look like a failure.
        """
        unwanted = {"PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", *(set() if require else {"PYBRIDGE_REQUIRE"})}
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in unwanted and not name.startswith("PYTEST_XDIST")
        }
        # No byte code: a file that is mutated and restored within one second has the same time as before.
        return kept | {
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYBRIDGE_EFFORT": "sample",
            "PYBRIDGE_MUTATION_REPORT": str(self._report),
        }

    def run(self, *tests: str, require: bool = False) -> Outcome:
        """Run tests of the copy by their ids."""
        self._report.unlink(missing_ok=True)
        words = [sys.executable, "-m", "pytest", "-q", "-p", "tests.mutation.reporting", "-p", "no:cacheprovider"]
        words += ["--basetemp", str(self._temporary), f"--timeout={TEST_SECONDS}", *tests]
        done = subprocess.run(
            words,
            cwd=self.root,
            env=self.environment(require=require),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if not self._report.exists():
            raise AssertionError(f"pytest did not run to its end:\n{done.stdout[-3000:]}")
        report = json.loads(self._report.read_text())
        return Outcome(report["states"], tuple(report["strangers"]), done.stdout)
