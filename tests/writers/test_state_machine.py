"""Any sequence of our tools, other writers, a second session and cut links keeps every file what it may be (laws 2, 3).

`make test` plays a few sequences that are the same each time, `make test-all` others for some minutes, and
`PYBRIDGE_EFFORT=all` many long ones. A failure prints the shortest sequence found and what each step was told.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.kit.counterparts import missing
from tests.kit.effort import by_effort
from tests.kit.figures import tell
from tests.kit.sshd import SshServer
from tests.writers.machine import NAMES, Play, machine
from tests.writers.moments import Moments
from tests.writers.world import World

EXAMPLES = by_effort(6, 30, 3000)
STEPS = by_effort(12, 25, 50)
SHARDS = by_effort(1, 2, 2)


@pytest.mark.timeout(24 * 3600)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_laws_2_and_3_hold_for_any_sequence_of_writers_and_faults(
    shard: int, openssh: SshServer, folder: Path, moments: Moments, request: pytest.FixtureRequest
) -> None:
    if not Path("/proc/self/stat").exists():
        missing("there is no /proc (Linux has it)")
    with World(openssh, folder, NAMES) as world:
        play = Play(world, moments)
        try:
            run_state_machine_as_test(
                machine(play),
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    derandomize=by_effort(True, False, False),
                    database=None,
                    print_blob=True,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
                ),
            )
        finally:
            for name, number in play.figures.items():
                tell(request, "state machine of writers and faults", name, number)
