"""kill -9 of the remote sh at every step of a change: with all it started, alone, or the subshell at work (law 2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.failing_steps import KILLED, StepPoint, rehearse, step_points, stepping_lanes, try_step
from tests.faults.operations import GROUPS, OPERATIONS
from tests.faults.points import choose, report, try_points
from tests.kit.effort import by_effort


@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0] if len(names) == 1 else "sample")
async def test_law2_a_shell_killed_at_any_step_leaves_all_old_or_all_new_and_the_answer_is_true(
    names: tuple[str, ...], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with stepping_lanes(tmp_path, by_effort(1, 2, 3)) as ready:
        points = []
        for name in names:
            points += step_points(name, tuple(KILLED), await rehearse(ready[0], OPERATIONS[name]))
        chosen = choose(points, StepPoint.parse, by_effort(0, 6, None))
        verdicts = await try_points(ready, chosen, try_step)
    report(request, verdicts, points)
