"""Real counterparts for tests: found, or the test is skipped with a reason, or fails when they are required."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

_PLACES = "/usr/sbin:/usr/local/sbin:/sbin"


def need(name: str, *, why: str = "") -> str:
    """The path of a program.

    Without it the test is skipped; with PYBRIDGE_REQUIRE=1 in the environment it fails.
    """
    path = shutil.which(name) or shutil.which(name, path=_PLACES)
    if path is None:
        missing(f"the program {name!r} is not installed{f' ({why})' if why else ''}")
    return path


def need_root(why: str) -> None:
    """Skip or fail unless the tests run as root."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        missing(f"root is needed to {why}")


def missing(reason: str) -> NoReturn:
    """Skip the test with a reason, or fail it when counterparts are required."""
    if os.environ.get("PYBRIDGE_REQUIRE") == "1":
        pytest.fail(f"required counterpart is missing: {reason}", pytrace=False)
    pytest.skip(reason)
