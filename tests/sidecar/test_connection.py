"""A server that is away is not hammered; a folder that is missing is looked for again at once."""

from __future__ import annotations

import asyncio

import pytest

from pybridge.errors import ConnectionRefusedByHostError, FileMissingError, RemoteError
from pybridge.sidecar.connection import Connection
from pybridge.sidecar.target import Target

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("error", "paused"),
    [(FileMissingError("no such folder", path="/w"), False), (ConnectionRefusedByHostError("refused"), True)],
)
async def test_only_a_server_that_is_away_is_given_time(error: RemoteError, paused: bool) -> None:
    async def connect() -> Target:
        raise error

    connection = Connection(connect, lambda state, target, failure: None)
    for _ in range(1 if paused else 3):
        with pytest.raises(type(error)):
            await connection.target(asyncio.Event())
    assert (connection._backoff.pause > 0) is paused
    await connection.close()
