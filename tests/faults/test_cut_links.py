"""A link that is cut, reset, down for a while or stalled at any byte of a change (law 2)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.failing_links import LinkPoint, link_points, rehearse, try_link
from tests.faults.lane import Lane
from tests.faults.operations import GROUPS, NEXT, OPERATIONS, look
from tests.faults.points import choose, lanes, report, try_points
from tests.kit.effort import by_effort
from tests.kit.fault_proxy import Fault
from tests.kit.remote_truth import RemoteTruth
from tests.kit.sshd import SshServer

FAULTS = (Fault.CUT, Fault.RESET, Fault.DOWN, Fault.STALL)


pytestmark = pytest.mark.usefixtures("collected")


@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0] if len(names) == 1 else "sample")
async def test_law2_a_link_cut_anywhere_leaves_all_old_or_all_new_and_the_answer_is_true(
    names: tuple[str, ...], openssh: SshServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with lanes(lambda folder: Lane(openssh, folder), tmp_path, by_effort(2, 4, 6)) as ready:
        points = []
        for name in names:
            points += link_points(name, FAULTS, await rehearse(ready[0], OPERATIONS[name]))
        chosen = choose(points, LinkPoint.parse, by_effort(0, 8, None))
        verdicts = await try_points(ready, chosen, try_link)
        await asyncio.to_thread(
            seen_by_another_client, openssh, [folder for lane in ready for folder in lane.laid[-1:]]
        )
    report(request, verdicts, points)


def seen_by_another_client(server: SshServer, folders: list[Path]) -> None:
    """What was judged is what another SSH client finds."""
    with RemoteTruth(
        "127.0.0.1", server.port, server.user, known_hosts=server.known_hosts, identity_file=server.key
    ) as truth:
        for folder in folders:
            tree = {path: content for path, content in truth.tree(str(folder)).items() if path != NEXT}
            assert tree == look(folder)
