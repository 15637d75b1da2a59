"""A link that is cut, reset, down for a while or stalled at any byte of a change (law 2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.failing_links import link_points, rehearse, try_link
from tests.faults.lane import Lane
from tests.faults.operations import GROUPS, OPERATIONS
from tests.faults.points import choose, lanes, report, try_points
from tests.kit.effort import by_effort
from tests.kit.fault_proxy import Fault
from tests.kit.sshd import SshServer

FAULTS = (Fault.CUT, Fault.RESET, Fault.DOWN, Fault.STALL)


@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("names", GROUPS, ids="+".join)
async def test_law2_a_link_cut_anywhere_leaves_all_old_or_all_new_and_the_answer_is_true(
    names: tuple[str, ...], openssh: SshServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with lanes(lambda folder: Lane(openssh, folder), tmp_path, by_effort(2, 4, 6)) as ready:
        points = []
        for name in names:
            points += link_points(name, FAULTS, await rehearse(ready[0], OPERATIONS[name]))
        chosen = choose(points, by_effort(0, 8, None))
        verdicts = await try_points(ready, chosen, try_link)
    report(request, verdicts, points)
