"""The table in the docs and the tests of its cells are the same matrix."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.matrix import table
from tests.matrix.every import COLUMNS
from tests.matrix.rows import ROWS

pytestmark = pytest.mark.unit


def test_the_table_in_the_docs_is_what_the_tests_hold_to(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--write-matrix"):
        pytest.skip("this run writes it")
    assert table.written() == table.render(COLUMNS, ROWS, table.expected(COLUMNS, ROWS)), "run `make matrix`"


def test_every_cell_of_the_table_has_a_test_and_every_test_a_cell() -> None:
    # `-m` whatever is asked of this run: all of them.
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", "-n0", "-o", "addopts="]
    done = subprocess.run(
        [*words, "--import-mode=importlib", str(Path(__file__).parent)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
    )  # fmt: skip
    collected = re.findall(r"::test_cell\[(.*)-(\w+)\]", done.stdout)
    assert sorted(collected) == sorted((c.name, r.name) for c in COLUMNS for r in ROWS), done.stdout[-2000:]


def test_names_are_unique_and_refusals_few() -> None:
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
    refused = [(column.name, row) for column in COLUMNS for row in column.refused]
    assert len(refused) <= table.MOST_REFUSED, refused
    assert {row for _, row in refused} <= {row.name for row in ROWS}
