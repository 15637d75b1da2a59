"""Searches: one round trip beside what the remote needs to search."""

from __future__ import annotations

import pytest

from tests.budgets.slow_link import SlowLink

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_glob_and_grep(slow: SlowLink) -> None:
    for number in range(500):
        (slow.folder / f"{number}.txt").write_text("needle\n" if number == 7 else "hay\n")
    assert await slow.trips(1, lambda _: slow("glob", pattern="**/*.txt")) == 1
    assert await slow.trips(1, lambda _: slow("grep", pattern="needle")) == 1
