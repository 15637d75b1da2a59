"""kill -9 of the sidecar at every step of a change: the next one puts everything right (law 2)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.killed_sidecars import KilledPoint, SidecarLane, killed_points, sidecar_lanes
from tests.faults.operations import GROUPS, OPERATIONS, POINT
from tests.faults.points import choose, report, try_points
from tests.kit.effort import by_effort

_QUICK = ("write over", "edit linked", "apply_patch")
"""What a sample is drawn from: each point takes two sidecars."""


@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0] if len(names) == 1 else "sample")
async def test_law2_a_sidecar_killed_at_any_step_leaves_all_old_or_all_new_to_the_next_one(
    names: tuple[str, ...], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with sidecar_lanes(tmp_path, by_effort(1, 2, 2), dict(os.environ)) as ready:
        points = []
        for name in by_effort([name for name in names if POINT or name in _QUICK], names, names):
            points += killed_points(name, await ready[0].rehearse(OPERATIONS[name]))
        chosen = choose(points, KilledPoint.parse, by_effort(0, 4, None))
        verdicts = await try_points(ready, chosen, SidecarLane.try_point)
    report(request, verdicts, points)
