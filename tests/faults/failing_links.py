"""Points at which a link fails: at the end of a packet, beside it, or at any byte."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.judging import Verdict
from tests.faults.lane import Lane, take
from tests.faults.operations import OPERATIONS, Operation
from tests.faults.points import SEED
from tests.kit.fault_proxy import Count, Fault, Place, Way

_RANDOM_OFFSETS = 100


@dataclass(frozen=True)
class LinkPoint:
    """A link that fails at a place of an operation."""

    operation: str
    fault: Fault
    place: Place

    @property
    def kind(self) -> str:
        return f"{self.operation}, link: {self.fault.value}"

    def __str__(self) -> str:
        return f"{self.operation}/{self.fault.value}/{self.place}"

    @classmethod
    def parse(cls, text: str) -> LinkPoint:
        """The point that `str` shows so."""
        operation, fault, place = text.split("/")
        return cls(operation, Fault(fault), Place.parse(place))


async def rehearse(lane: Lane, operation: Operation) -> dict[Way, Count]:
    """What an operation sends each way on a warm connection when nothing fails."""
    await lane.warm(operation)
    folder = lane.lay(operation)
    lane.proxy.arm()
    error = await lane.make(operation, folder)
    assert error is None, error
    return lane.proxy.counts


def link_points(operation: str, faults: Sequence[Fault], counts: dict[Way, Count]) -> list[LinkPoint]:
    """Each packet's end and the bytes beside it, and as many random bytes as are asked for, for each fault."""
    places = [
        Place(way, packet, shift)
        for way, count in counts.items()
        for packet in range(count.packets + 1)
        for shift in (-1, 0, 1)
        if packet > 0 or shift >= 0
    ]
    dice = random.Random(f"{SEED} {operation}")
    for _ in range(_RANDOM_OFFSETS):
        way = dice.choice(list(Way))
        places.append(Place(way, None, dice.randrange(counts[way].bytes + 1)))
    return [LinkPoint(operation, fault, place) for fault in faults for place in places]


async def try_link(lane: Lane, point: LinkPoint) -> Verdict:
    """Make the change over a link that fails there, and judge what became of it."""
    verdict = Verdict(str(point), point.kind)
    operation = OPERATIONS[point.operation]
    await lane.warm(operation)
    folder = lane.lay(operation)
    lane.proxy.arm(point.fault, point.place)
    take(verdict, await lane.make(operation, folder))
    verdict.struck = lane.proxy.struck.is_set()
    lane.proxy.disarm()
    await lane.settle(operation, folder, verdict, late=point.fault is Fault.LATE)
    return verdict
