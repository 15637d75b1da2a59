"""One session per column, one test per cell.

To add a column: add a `Column` to the `COLUMNS` of a `columns_*.py` (or of a new module with a `test_*.py` of three
lines beside it, entered in `every.py`). Its `start` yields a `Counterpart`: the value of REMOTE_SSH, a `Looking` for
what is really there, and a folder the remote user owns; `container_column` does all of it for a
container with a change or two. Let `claims` assert that the probe found what the name says. Then
`make matrix` runs all cells and writes the table of docs/servers.md; commit it with the column.
To add a row: a job in a `jobs_*.py`, and a `Row` in rows.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

import pytest
import pytest_asyncio

from pybridge.host.host import Host, HostOptions
from pybridge.settings import Secret, Settings
from pybridge.tools.session import Session, open_session
from tests.kit.pools import open_pool
from tests.matrix.column import Column, Counterpart
from tests.matrix.rows import ROWS
from tests.matrix.truth import Looking


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that takes `bench` and `row` runs for each column of its module, and each row."""
    if "bench" in metafunc.fixturenames:
        columns = [
            pytest.param(column, id=column.name, marks=[] if column.quick else [pytest.mark.whole])
            for column in cast(list[Column], vars(metafunc.module)["COLUMNS"])
        ]
        metafunc.parametrize("bench", columns, indirect=True, scope="module")
    if "row" in metafunc.fixturenames:
        metafunc.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])


@dataclass
class Bench:
    """A column at work: its server runs, and a session is open on it."""

    column: Column
    server: Counterpart
    host: Host
    session: Session
    truth: Looking


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """One column's server, and a session on it as the sidecar opens it; local files go to a folder of the test."""
    column: Column = request.param
    local = tmp_path_factory.mktemp("local")
    with column.start(tmp_path_factory.mktemp("column")) as server:
        settings = Settings(
            ssh=server.ssh,
            workdir=server.area,
            sudo_password=Secret(server.sudo_password) if server.sudo_password else None,
        )
        options = HostOptions(workdir=server.area, shell=server.shell, login=server.login)
        async with open_pool(server.ssh, password=server.password) as pool:
            host = await Host.connect(pool, options)
            with pytest.MonkeyPatch.context() as patch:
                for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
                    patch.setenv(name, str(local))
                session = await open_session(settings, host, target_slug="matrix")
            try:
                await host.login_captured()
                column.claims(host)
                yield Bench(column, server, host, session, Looking(server.truth, server.area))
            finally:
                await host.close()
                session.store.close()
