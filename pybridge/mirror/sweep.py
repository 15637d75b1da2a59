"""The sweep of a new connection: changes that earlier ones left unfinished are settled and their records removed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pybridge.errors import RemoteError
from pybridge.host.host import Host
from pybridge.host.recovery import Settled, Settlement, UnfinishedRequest
from pybridge.mirror.temporaries import TemporaryRecords

_LOGGER = logging.getLogger(__name__)


FIRST_SECONDS = 30.0
"""How long a new connection waits for its first sweep: a file that hangs must not keep everybody out."""

PAUSES = (0.0, 2.0, 10.0, 60.0, 60.0, 60.0, 300.0)
"""Seconds before each look after a link came back: a shell that cannot be ended goes when its server notices."""


@dataclass(frozen=True)
class Swept:
    """What became of one interrupted change.

    Args:
        paths: the files it was to change.
        settlement: how it was settled.
    """

    paths: tuple[str, ...]
    settlement: Settlement

    def __str__(self) -> str:
        what = f"An interrupted change of {', '.join(self.paths)}"
        others = ", ".join(self.settlement.kept)
        match self.settlement.state:
            case Settled.MADE if others:
                return f"{what} was made; {others} has been changed since."
            case Settled.NONE | Settled.UNDONE if others:
                since = f"{others} holds something else by now, and whether it was made there before is not known"
                return f"{what} does not stand: {since}. Read it again."
            case Settled.MADE:
                return f"{what} was made: the new content stands."
            case Settled.FINISHED:
                return f"{what} was finished: the new content stands."
            case Settled.NONE:
                return f"{what} was not made: the old content stands."
            case Settled.UNDONE:
                return f"{what} was taken back: the old content stands."
        return f"{what} was taken back, except for {others}, which has been changed since; see .pybridge-* beside it."


Report = Callable[[Sequence[Swept]], None]


class Sweeper:
    """Sweeps at the start and when a lost link is back, and looks again while a shell that is to blame still lives.

    Args:
        host: to sweep.
        records: of what may lie there.
        report: told what became of interrupted changes.
    """

    def __init__(self, host: Host, records: TemporaryRecords, report: Report = lambda swept: None) -> None:
        self._host = host
        self._records = records
        self._report = report
        self._task: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Be told of what comes up between two sweeps, too."""
        self._host.files.on_settled = self._settled
        self._host.files.on_given_up = self.link_is_back

    async def first(self) -> None:
        """Sweep before anybody works over a new connection; what does not end in time goes on in the background."""
        try:
            async with asyncio.timeout(FIRST_SECONDS):
                self._report(await sweep(self._host, self._records))
        except (TimeoutError, RemoteError) as error:
            _LOGGER.warning("what an earlier connection left is not put right yet: %s", error or "it takes too long")
            self.link_is_back()

    def link_is_back(self) -> None:
        """Sweep in the background, if anything is recorded."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def _settled(self, request: UnfinishedRequest, settlement: Settlement) -> None:
        swept = Swept(tuple(left.path for left in request.leftovers), settlement)
        _LOGGER.warning("%s", swept)
        self._report([swept])

    async def _run(self) -> None:
        for pause in PAUSES:
            await asyncio.sleep(pause)
            if not await asyncio.to_thread(self._records.abandoned):
                return
            try:
                self._report(await sweep(self._host, self._records))
            except RemoteError as error:
                _LOGGER.info("no sweep for now: %s", error)

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def sweep(host: Host, records: TemporaryRecords) -> list[Swept]:
    """Settle on `host` what nobody waits for any more. Without records this costs nothing; with them, one round trip.

    Returns:
        What became of each change.

    Raises:
        ConnectionLostError, RemoteTimeoutError, ProtocolError: the remote could not be reached; the records stay.
    """
    if not await asyncio.to_thread(records.abandoned):
        return []
    async with records.settling() as alone:
        return await _settle(host, records, await asyncio.to_thread(records.abandoned)) if alone else []


async def _settle(host: Host, records: TemporaryRecords, requests: Sequence[UnfinishedRequest]) -> list[Swept]:
    outcome = await host.recover(requests)
    swept = []
    for request in requests:
        settlement = outcome.get(request.key)
        if settlement is None or settlement.state is Settled.ALIVE:
            continue
        await asyncio.to_thread(records.done, request.key)
        swept.append(Swept(tuple(left.path for left in request.leftovers), settlement))
        _LOGGER.warning("%s", swept[-1])
    return swept
