"""The sweep of a new connection: what earlier ones left on the remote is put right and their records removed."""

from __future__ import annotations

import asyncio
import logging

from pybridge.errors import RemoteError
from pybridge.host.host import Host
from pybridge.host.recovery import Leftover, Recovered
from pybridge.mirror.temporaries import TemporaryRecords

_LOGGER = logging.getLogger(__name__)


PAUSES = (0.0, 2.0, 10.0, 60.0)
"""Seconds before each look after a link came back: a server notices only after a while that its client is gone."""


class Sweeper:
    """Sweeps when a lost link is back, and looks again while a shell that is to blame still lives.

    Args:
        host: to sweep.
        records: of what may lie there.
    """

    def __init__(self, host: Host, records: TemporaryRecords) -> None:
        self._host = host
        self._records = records
        self._task: asyncio.Task[None] | None = None

    def link_is_back(self) -> None:
        """Sweep in the background, if anything is recorded."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        for pause in PAUSES:
            await asyncio.sleep(pause)
            if not await asyncio.to_thread(self._records.pending):
                return
            try:
                await sweep(self._host, self._records)
            except RemoteError as error:
                _LOGGER.info("no sweep for now: %s", error)

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def sweep(host: Host, records: TemporaryRecords) -> list[tuple[Leftover, Recovered]]:
    """Put right what dead shells left on `host`. Without records this costs nothing; with them, one round trip.

    Returns:
        The changes that were torn and are now finished or undone, or could not be told from somebody's own change.

    Raises:
        ConnectionLostError, RemoteTimeoutError, ProtocolError: the remote could not be reached; the records stay.
    """
    pending = await asyncio.to_thread(records.pending)
    leftovers = [left for record in pending for left in record.leftovers]
    outcome = await host.recover(leftovers)
    for record in pending:
        states = [outcome.get(left.key) for left in record.leftovers]
        if None not in states and Recovered.ALIVE not in states:
            await asyncio.to_thread(records.done, record.key)
    notable = [
        (left, state)
        for left in leftovers
        if (state := outcome.get(left.key)) in (Recovered.FINISHED, Recovered.UNDONE, Recovered.KEPT)
        and state is not None
    ]
    for left, state in notable:
        _LOGGER.warning("An interrupted change of %s was %s.", left.path, _WORDS[state])
    return notable


_WORDS = {
    Recovered.FINISHED: "finished: the file holds the new content",
    Recovered.UNDONE: "undone: the file holds the old content",
    Recovered.KEPT: "left alone, because the file has changed since; copies lie beside it, named .pybridge-*",
}
