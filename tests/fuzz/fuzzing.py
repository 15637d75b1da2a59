"""Running a property over generated inputs, as many as this run asks for, and counting them.

A sample is the same at every run, so that what CI finds can be found again; a longer run takes new inputs each time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.kit.effort import Effort, by_effort, effort
from tests.kit.figures import tell

GROUP = "fuzz"
SAMPLE, PART, EVERYTHING = 0.25, 2, 100
"""How many inputs are taken of those that a test names as usual."""

T = TypeVar("T")


def fuzz(
    request: pytest.FixtureRequest, name: str, inputs: st.SearchStrategy[T], check: Callable[[T], object], usual: int
) -> None:
    """Call `check` with inputs, and tell how many they were.

    Args:
        request: of the test.
        name: what is fuzzed, for the figures.
        inputs: how they are made.
        check: raises where a promise is broken.
        usual: how many of them are worth the time, had one a minute for all such tests.
    """
    tried = 0

    @settings(
        max_examples=int(usual * by_effort(SAMPLE, PART, EVERYTHING)),
        derandomize=effort() is Effort.SAMPLE,
        database=None,
        deadline=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        print_blob=True,
    )
    @given(inputs)
    def property_holds(value: T) -> None:
        nonlocal tried
        tried += 1
        check(value)

    wrong = 1
    try:
        property_holds()
        wrong = 0
    finally:
        tell(request, GROUP, name, tried, wrong)
