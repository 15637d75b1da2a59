"""Many reads at once: those that wait for a control shell travel together, in the first request that gets one.

So thirty reads take two round trips, however few shells there are: the first ones go out at once, the others with the
next free shell.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from pybridge.errors import ProtocolError, RemoteTimeoutError
from pybridge.host.control_shell import DEFAULT_TIMEOUT, ControlShell
from pybridge.host.facts import Facts
from pybridge.host.fetching import fetch_script, parse_fetched
from pybridge.host.framing import new_marker
from pybridge.host.model import Fetch, Fetched
from pybridge.host.shells import ControlShells

SLOWEST_BYTES_PER_SECOND = 64 * 1024

_MOST_FILES = 64
_MOST_BYTES = 64 * 1024 * 1024
"""Of contents that one reply may have to hold."""

_COUNTED = 4
"""Files of one request whose contents are waited for, each with its greatest size."""


@dataclass
class _Asked:
    """One caller's files, and the answers."""

    requests: Sequence[Fetch]
    alone: bool
    shared: bool = False
    found: asyncio.Future[list[Fetched | None]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


@dataclass
class _Errand:
    """What one caller waits for a shell with; `carried` is what it then carries out."""

    own: _Asked
    carried: list[_Asked] = field(default_factory=list)


class FetchBatches:
    """The fetches of one host.

    Args:
        shells: the control shells that do the work.
        facts: what the probe found.
    """

    def __init__(self, shells: ControlShells, facts: Facts) -> None:
        self.facts = facts
        self._shells = shells
        self._waiting: list[_Asked] = []
        self._serving: set[asyncio.Task[None]] = set()

    async def fetch(self, requests: Sequence[Fetch]) -> list[Fetched]:
        """Each file as it is now, all in one round trip; one more where small ones change in that very moment.

        Raises:
            ConnectionLostError, RemoteTimeoutError, ProtocolError: none could be looked at.
        """
        found = await self._fetch(requests)
        changed = [number for number, answer in enumerate(found) if answer is None]
        if changed:
            again = await self._fetch([requests[number] for number in changed], alone=True)
            for number, answer in zip(changed, again, strict=True):
                found[number] = answer
        return [answer for answer in found if answer is not None]

    async def _fetch(self, requests: Sequence[Fetch], *, alone: bool = False) -> list[Fetched | None]:
        async def once(*, alone: bool) -> list[Fetched | None]:
            asked = _Asked(requests, alone)
            try:
                return await self._found(asked)
            except (RemoteTimeoutError, ProtocolError):
                if not asked.shared:
                    raise
            # It may be another one's file that does not answer.
            return await self._found(_Asked(requests, alone=True))

        return await self._shells.once_more_if_lost(lambda: once(alone=alone))

    async def _found(self, asked: _Asked) -> list[Fetched | None]:
        errand = _Errand(asked)
        self._waiting.append(asked)
        serving = asyncio.create_task(self._serve(errand))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        try:
            return await asked.found
        finally:
            if asked in self._waiting:
                self._waiting.remove(asked)
            # Not where files of others are under way with it.
            if all(other is asked or other.found.done() for other in errand.carried):
                serving.cancel()

    async def _serve(self, errand: _Errand) -> None:
        try:
            async with self._shells.lend() as shell:
                errand.carried = self._take(errand.own)
                if errand.carried:
                    await self._carry_out(shell, errand.carried)
        except BaseException as error:
            for asked in errand.carried or [errand.own]:
                if not asked.found.done():
                    asked.found.set_exception(error)
            if not isinstance(error, Exception):
                raise

    def _take(self, own: _Asked) -> list[_Asked]:
        """What goes together with `own`, itself first; nothing if it went with others."""
        if own not in self._waiting:
            return []
        taken = [own]
        files, size = len(own.requests), _most_bytes(own.requests)
        for asked in self._waiting:
            if asked is own or asked.alone or own.alone:
                continue
            files, size = files + len(asked.requests), size + _most_bytes(asked.requests)
            if files > _MOST_FILES or size > _MOST_BYTES:
                break
            taken.append(asked)
        for asked in taken:
            self._waiting.remove(asked)
            asked.shared = len(taken) > 1
        return taken

    async def _carry_out(self, shell: ControlShell, batch: Sequence[_Asked]) -> None:
        requests = [request for asked in batch for request in asked.requests]
        marker, together = new_marker(), not batch[0].alone
        script = fetch_script(requests, self.facts, marker, together=together)
        reply = await shell.request(script, timeout=_seconds_for(requests), harmless=True)
        found = iter(parse_fetched(reply.output, requests, self.facts, marker, together=together))
        for asked in batch:
            own = list(itertools.islice(found, len(asked.requests)))
            if not asked.found.done():
                asked.found.set_result(own)


def _most_bytes(requests: Sequence[Fetch]) -> int:
    return sum(request.max_bytes for request in requests)


def _seconds_for(requests: Sequence[Fetch]) -> float:
    sizes = sorted((request.max_bytes for request in requests), reverse=True)[:_COUNTED]
    listed = sum(request.entries + (request.lines is not None) for request in requests)
    return (1 + listed) * DEFAULT_TIMEOUT + sum(sizes) / SLOWEST_BYTES_PER_SECOND
