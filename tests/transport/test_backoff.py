"""The pauses between attempts to connect."""

from __future__ import annotations

from pybridge.transport.backoff import LONGEST_PAUSE, Backoff


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_pause_doubles_up_to_a_few_seconds_and_a_success_ends_it() -> None:
    backoff = Backoff(Clock())
    assert backoff.pause == 0
    pauses = []
    for _ in range(6):
        backoff.failed()
        pauses.append(backoff.pause)
    assert pauses == [0.5, 1, 2, 4, 4, 4]
    assert max(pauses) == LONGEST_PAUSE
    backoff.succeeded()
    assert backoff.pause == 0


def test_the_time_that_has_passed_counts() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    for _ in range(4):
        backoff.failed()
    clock.now += 3
    assert backoff.pause == 1
    clock.now += 600
    assert backoff.pause == 0


def test_a_clock_that_is_set_back_makes_nobody_wait_for_longer() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    backoff.failed()
    clock.now -= 3600
    assert backoff.pause == 0.5
