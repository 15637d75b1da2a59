"""A link that swallows everything without a word: from any byte, at any step, or until much later (laws 2, 3, 7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import failing_links, failing_steps
from tests.faults.lane import Lane
from tests.faults.operations import GROUPS, OPERATIONS
from tests.faults.points import choose, lanes, report, try_points
from tests.kit.effort import by_effort
from tests.kit.fault_proxy import Fault
from tests.kit.remote_steps import Act
from tests.kit.sshd import SshServer

FAULTS = (Fault.BLACK_HOLE, Fault.DARK, Fault.LATE)
_LANES = by_effort(4, 6, 8)  # nearly all of the time is waiting for the keepalive


pytestmark = pytest.mark.usefixtures("collected")


@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0] if len(names) == 1 else "sample")
async def test_law2_a_black_hole_from_any_byte_on_leaves_all_old_or_all_new_and_the_answer_is_true(
    names: tuple[str, ...], openssh: SshServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with lanes(lambda folder: Lane(openssh, folder), tmp_path, _LANES) as ready:
        points = []
        for name in names:
            counts = await failing_links.rehearse(ready[0], OPERATIONS[name])
            points += failing_links.link_points(name, FAULTS, counts)
        chosen = choose(points, failing_links.LinkPoint.parse, by_effort(0, 5, None))
        verdicts = await try_points(ready, chosen, failing_links.try_link)
    report(request, verdicts, points)


@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0] if len(names) == 1 else "sample")
async def test_law2_a_black_hole_at_any_step_leaves_all_old_or_all_new_and_the_answer_is_true(
    names: tuple[str, ...], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with failing_steps.stepping_lanes(tmp_path, by_effort(2, 4, 6)) as ready:
        points = []
        for name in names:
            taken = await failing_steps.rehearse(ready[0], OPERATIONS[name])
            points += failing_steps.step_points(name, [Act.HOLD], taken)
        chosen = choose(points, failing_steps.StepPoint.parse, by_effort(0, 5, None))
        verdicts = await try_points(ready, chosen, failing_steps.try_step)
    report(request, verdicts, points)
