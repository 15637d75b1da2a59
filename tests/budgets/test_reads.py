"""Reads: a file seen for the first time and again, among many others, a piece of a large one, a folder."""

from __future__ import annotations

import asyncio

import pytest

from tests.budgets.slow_link import SlowLink

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_file_never_seen_and_seen_before(slow: SlowLink) -> None:
    for attempt in range(3):
        (slow.folder / f"new{attempt}").write_text("line\n" * 20_000)
    assert await slow.trips(1, lambda attempt: slow("read", filePath=f"new{attempt}")) == 1
    assert await slow.trips(1, lambda attempt: slow("read", filePath="new0")) == 1


async def test_a_file_among_a_thousand_that_are_tracked(slow: SlowLink) -> None:
    for number in range(1000):
        (slow.folder / f"{number}").write_text(f"{number}\n")
    with slow.quickly():
        await asyncio.gather(*(slow("read", filePath=f"{number}") for number in range(1000)))
    assert await slow.trips(1, lambda _: slow("read", filePath="7")) == 1


async def test_thirty_files_at_once(slow: SlowLink) -> None:
    for number in range(30):
        (slow.folder / f"at once {number}").write_text(f"{number}\n")

    async def thirty(_: int) -> None:
        await asyncio.gather(*(slow("read", filePath=f"at once {number}") for number in range(30)))

    # The first ones with the shells there are, the others with the first that is free again.
    assert await slow.trips(2, thirty) <= 2


async def test_the_first_lines_of_a_large_file(slow: SlowLink) -> None:
    (slow.folder / "50m").write_text("a line of a large file, with some text\n" * 1_300_000)
    assert await slow.trips(1, lambda _: slow("read", filePath="50m")) == 1


async def test_a_folder(slow: SlowLink) -> None:
    (slow.folder / "sub").mkdir(exist_ok=True)
    (slow.folder / "sub" / "f").write_text("x\n")
    assert await slow.trips(1, lambda _: slow("read", filePath="sub")) == 1


async def test_a_file_that_is_not_there(slow: SlowLink) -> None:
    # The names beside it are for "Did you mean".
    async def missing(_: int) -> None:
        await asyncio.gather(slow("read", filePath="none"), return_exceptions=True)

    assert await slow.trips(2, missing) == 2
