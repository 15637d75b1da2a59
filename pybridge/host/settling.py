"""What becomes of a change that is interrupted: known before anybody is told, and by one at a time (laws 2 and 3)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from pybridge.errors import (
    AuthenticationError,
    ChannelError,
    ConnectError,
    ConnectionLostError,
    FileError,
    HostKeyError,
    OutcomeUnknownError,
    RemoteError,
)
from pybridge.host.applying import Step
from pybridge.host.control_shell import ControlShell
from pybridge.host.facts import Facts
from pybridge.host.file_reader import FileReader
from pybridge.host.recovery import Settled, Settlement, UnfinishedRequest, recover
from pybridge.host.safeguards import NoRecords, NoTurns, Recorder, TurnTaker
from pybridge.host.shells import ControlShells

SETTLE_PAUSES = (0.0, 1.0, 3.0)
"""Seconds before each attempt to reach the remote again when the link died under a change."""

TURNS_TAKEN = 3
"""How often a turn is taken in the hope that nobody's unfinished request is in the way."""

log = logging.getLogger(__name__)


class NothingWrittenError(ConnectionLostError):
    """The link died, and a look over a new one shows that none of the changes was made, or that all were taken back."""


class Interrupted(Exception):
    """What was sent may be carried out, or not, or in part."""

    def __init__(self, cause: RemoteError, *, in_turn: bool) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.in_turn = in_turn


class Settler(FileReader):
    """Settles interrupted changes of one host's files, and keeps them from later ones.

    Args:
        shells: the control shells that do the work.
        facts: what the probe found.
    """

    def __init__(self, shells: ControlShells, facts: Facts) -> None:
        super().__init__(shells, facts)
        self.records: Recorder = NoRecords()
        self.turns: TurnTaker = NoTurns()
        self.on_settled: Callable[[UnfinishedRequest, Settlement], None] = lambda request, settlement: None
        """Told what became of an earlier change that was in the way of one made here."""
        self.on_given_up: Callable[[], None] = lambda: None
        """Told that a change is left half-made although the remote can be reached: it is to be settled later."""

    async def recover(self, requests: Sequence[UnfinishedRequest]) -> dict[str, Settlement]:
        """Settle requests that nobody waits for any more; see `recovery.recover`. Waits for the turn of their files."""
        if not requests:
            return {}
        # First the shell, as whoever writes does: the other way round both could wait for each other.
        async with (
            self._shells.lend(slow=True) as shell,
            self.turns.take([left.target for request in requests for left in request.leftovers]),
        ):
            return await self._recover_in_turn(shell, requests)

    async def _recover_in_turn(
        self, shells: ControlShells | ControlShell, requests: Sequence[UnfinishedRequest]
    ) -> dict[str, Settlement]:
        """Settle requests whose turn is held, and remove their records before it ends.

        Two that settled one request after the other would take what was changed in between for a part of it.
        """
        pending = [r for r in requests if await asyncio.to_thread(self.records.is_pending, r.key)]
        settled = await recover(shells, self._facts, pending)
        self.known_files.forget_all()
        for key, settlement in settled.items():
            if settlement.state is not Settled.ALIVE:
                await asyncio.to_thread(self.records.done, key)
        return settled

    @contextlib.asynccontextmanager
    async def _turn(self, shell: ControlShell, steps: Sequence[Step]) -> AsyncIterator[None]:
        """The turn of all targets, once no request can change them any more whose session was killed during its turn.

        Such a request goes on alone on the remote: between its compare and its replace it would take away what is put
        in place here.

        Raises:
            FileError: such a request cannot be ended; nothing was changed.
        """
        targets = {step.real for step in steps}
        for _ in range(TURNS_TAKEN):
            async with self.turns.take(targets):
                left = self.records.abandoned()  # a look at a small folder; a thread would take longer
                left = [r for r in left if not targets.isdisjoint(item.target for item in r.leftovers)]
                if not left:
                    yield
                    return
            # Not under this turn: it may concern further files.
            async with self.turns.take([item.target for request in left for item in request.leftovers]):
                settled = await self._recover_in_turn(shell, left)
            for request in left:
                if (settlement := settled.get(request.key)) and settlement.state is not Settled.ALIVE:
                    self.on_settled(request, settlement)
        path = steps[0].change.path
        raise FileError(
            f"An earlier change of {path} is still under way on the remote.",
            path=path,
            next_step="Nothing was changed. Try again.",
        )

    async def _settle(self, request: UnfinishedRequest, interrupted: Interrupted) -> None:
        """Find out over a new connection what became of an interrupted request, and finish it or take it back.

        Raises:
            NothingWrittenError: none of its changes was made, or all were taken back.
            OutcomeUnknownError: that cannot be found out now, or somebody has changed one of the files since.
        """
        paths = ", ".join(left.path for left in request.leftovers)
        cause, settlement = interrupted.cause, None
        try:
            settlement = await self._recover_soon(request, in_turn=interrupted.in_turn)
        finally:
            if settlement is None or settlement.state is Settled.ALIVE:
                self.records.abandon(request.key)
            if settlement is not None and settlement.state is Settled.ALIVE:
                self.on_given_up()
        if settlement is None or settlement.state is Settled.ALIVE:
            raise OutcomeUnknownError(
                f"Writing {paths} was interrupted, and whether it was done is not known: {cause.message}",
                path=request.leftovers[0].path,
                next_step="It is done or taken back as a whole once the remote can be reached. Read again before you "
                "go on.",
            ) from cause
        log.warning("writing %s was interrupted (%s) and is settled: %s", paths, cause.message, settlement.state.value)
        await asyncio.to_thread(self.records.done, request.key)
        for left in request.leftovers:
            self._real.pop(left.path, None)
        if settlement.is_made:
            return
        if settlement.is_not_made:
            raise NothingWrittenError(
                f"Writing {paths} was interrupted, and nothing was changed: {cause.message}", next_step="Try again."
            ) from cause
        raise OutcomeUnknownError(
            f"Writing {paths} was interrupted ({cause.message}), and somebody else has changed "
            f"{', '.join(settlement.kept)} meanwhile; what had been done to the others was taken back.",
            path=request.leftovers[0].path,
            next_step="Read the files again before you go on.",
        ) from cause

    async def _recover_soon(self, request: UnfinishedRequest, *, in_turn: bool) -> Settlement | None:
        """Settle it, with some patience for a link that is coming back; None if it cannot be reached."""
        for pause in SETTLE_PAUSES:
            await asyncio.sleep(pause)
            try:
                settling = self._recover_in_turn(self._shells, [request]) if in_turn else self.recover([request])
                return (await settling).get(request.key)
            except (ConnectionLostError, ConnectError, ChannelError) as error:
                if isinstance(error, AuthenticationError | HostKeyError):
                    break
                log.info("an interrupted change cannot be settled yet: %s", error)
            except RemoteError as error:
                log.info("an interrupted change cannot be settled: %s", error)
                break
        return None


@contextlib.contextmanager
def interruptible(*errors: type[RemoteError], in_turn: bool = False) -> Iterator[None]:
    """Turn these errors of the body into `Interrupted`: what it sent may be carried out all the same.

    Args:
        in_turn: the turn of the files is held, and stays so.
    """
    try:
        yield
    except errors as error:
        raise Interrupted(error, in_turn=in_turn) from error
