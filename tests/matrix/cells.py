"""One cell of the matrix, proved."""

from __future__ import annotations

import pytest

from tests.matrix.conftest import Bench
from tests.matrix.rows import Row
from tests.matrix.table import REFUSED, WORKS
from tests.matrix.work import Work


async def prove(bench: Bench, row: Row, request: pytest.FixtureRequest) -> None:
    """Do the row's job on the column, or see it refused as the column says; tell the recorder which."""
    folder = f"{bench.server.area}/{row.name}"
    bench.truth.folder(folder)
    work = Work(bench.session, bench.host, bench.server, bench.truth, folder)
    refusal = bench.column.refused.get(row.name)
    if refusal is None:
        await row.job(work)
    else:
        with pytest.raises(refusal.error, match=refusal.match):
            await row.job(work)
    left = [name for place in (bench.server.area, "/tmp") for name in bench.truth.names(place) if ".pybridge" in name]
    assert left == [], "temporaries were left behind"
    verdict = WORKS if refusal is None else REFUSED
    request.node.user_properties.append(("matrix", [bench.column.name, row.name, verdict]))
