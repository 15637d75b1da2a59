"""One run of the benchmarks: what a section is given."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from benchmarks.adapter import Adapter
from benchmarks.adapters.protocol import CallFailedError, UnsupportedError
from benchmarks.measuring import Subject
from benchmarks.place import Place

_T = TypeVar("_T")
_homes = itertools.count(1)


@dataclass
class Bench:
    """Where and how to measure.

    Attributes:
        place: the server, the data and the links.
        commands: of the adapters, by name; this project first.
        round_trips: those to measure at, in seconds.
        quick: the smallest run that still does everything.
        absent: adapters that cannot be had here, and why.
    """

    place: Place
    commands: Mapping[str, str]
    round_trips: list[float]
    quick: bool = False
    absent: dict[str, str] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @property
    def typical(self) -> float:
        """The round trip for what is measured at one only, in seconds: 0.05, else the first that is not 0."""
        return 0.05 if 0.05 in self.round_trips else next((one for one in self.round_trips if one), 0)

    def say(self, text: str) -> None:
        """Show progress."""
        print(f"[{time.monotonic() - self.started:5.0f} s] {text}", file=sys.stderr, flush=True)

    def runs(self, full: int) -> int:
        """How many rounds: `full`, or 1 if it is to be quick."""
        return 1 if self.quick else full

    def sized(self, full: _T, quick: _T) -> _T:
        """One or the other."""
        return quick if self.quick else full

    @contextlib.asynccontextmanager
    async def adapter(self, name: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[Adapter]:
        """An adapter's process with a home folder of its own, not yet connected."""
        home = self.place.scratch / "homes" / f"{name}-{next(_homes)}"
        async with Adapter(name, self.commands[name], home, environment) as adapter:
            yield adapter

    @contextlib.asynccontextmanager
    async def subject(
        self,
        name: str,
        round_trip: float,
        *,
        proxied: bool = False,
        settings: Mapping[str, str] | None = None,
        warm: bool = True,
    ) -> AsyncIterator[Subject]:
        """One implementation, connected over a link of its own.

        Args:
            name: of the adapter.
            round_trip: in seconds.
            proxied: count bytes at 0 too (see `Place.link`).
            settings: of the implementation, such as REMOTE_SHELL.
            warm: make a first call, and wait until all is quiet.

        Raises:
            UnsupportedError: it cannot be had here.
        """
        async with self.adapter(name) as adapter, self.place.link(round_trip, proxied=proxied) as link:
            await adapter.init(link.ssh, self.place.workdir, settings)
            subject = Subject(adapter, link)
            if warm:
                await warmed(subject, self.place.data.small("warm"))
            try:
                yield subject
            finally:
                with contextlib.suppress(CallFailedError):
                    await adapter.close()

    @contextlib.asynccontextmanager
    async def subjects(
        self,
        round_trip: float,
        names: Sequence[str] | None = None,
        *,
        proxied: bool = False,
        choose: Callable[[str], bool] = lambda _: True,
    ) -> AsyncIterator[list[Subject]]:
        """Several implementations, connected and warm: all that can be had here, or the named ones of these.

        Args:
            names: all if not given.
            choose: whether to take one, by its name.
        """
        async with contextlib.AsyncExitStack() as stack:
            found = []
            for name in names or self.commands:
                if name in self.absent or not choose(name):
                    continue
                try:
                    found.append(await stack.enter_async_context(self.subject(name, round_trip, proxied=proxied)))
                except UnsupportedError as error:
                    self.absent[name] = str(error)
                    self.say(f"without {name}: {error}")
            yield found


async def warmed(subject: Subject, file: str) -> None:
    """Do the first calls of each kind, and wait until what they started in the background is over."""
    for tool, args in (("bash", {"command": "true"}), ("read", {"filePath": file})):
        with contextlib.suppress(UnsupportedError):
            await subject.adapter.tool(tool, args)
    await asyncio.sleep(0.3 + 8 * subject.link.round_trip)
