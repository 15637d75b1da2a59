"""Every tool behind every kind of login shell."""

from __future__ import annotations

import pytest

from tests.matrix.cells import prove
from tests.matrix.columns_shells import COLUMNS as COLUMNS
from tests.matrix.conftest import Bench
from tests.matrix.rows import Row


@pytest.mark.asyncio(loop_scope="module")
async def test_cell(bench: Bench, row: Row, request: pytest.FixtureRequest) -> None:
    await prove(bench, row, request)
