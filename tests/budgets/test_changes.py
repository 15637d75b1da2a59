"""Changes: the files are looked at in one round trip, however many there are, and changed in another."""

from __future__ import annotations

import pytest

from tests.budgets.slow_link import SlowLink

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINES = "".join(f"line {number} of the file\n" for number in range(500))


async def test_an_edit_of_a_file_never_seen(slow: SlowLink) -> None:
    for attempt in range(3):
        (slow.folder / f"edited{attempt}").write_text(LINES)

    async def edit(attempt: int) -> None:
        await slow("edit", filePath=f"edited{attempt}", oldString="line 7 of", newString="line VII of")

    assert await slow.trips(2, edit) == 2


async def test_a_new_file(slow: SlowLink) -> None:
    write = lambda attempt: slow("write", filePath=f"new/{attempt}", content="x" * 1024)  # noqa: E731
    assert await slow.trips(2, write) == 2


async def test_a_file_written_over_that_was_never_seen(slow: SlowLink) -> None:
    for attempt in range(3):
        (slow.folder / f"old{attempt}").write_text(LINES)
    assert await slow.trips(2, lambda attempt: slow("write", filePath=f"old{attempt}", content="new\n")) == 2


def patch(attempt: int) -> str:
    """Twenty files changed, all at their ends."""
    sections = [f"*** Update File: patched{number}\n@@\n first\n last\n+{attempt}\n" for number in range(20)]
    return "*** Begin Patch\n" + "".join(sections) + "*** End Patch"


async def test_a_patch_of_twenty_files_never_seen(slow: SlowLink) -> None:
    for number in range(20):
        (slow.folder / f"patched{number}").write_text("first\nlast\n")
    # dropbear takes 24 KB on a channel before it lets more come.
    goal = 3 if slow.kind == "dropbear" else 2
    assert await slow.trips(goal, lambda attempt: slow("apply_patch", patchText=patch(attempt))) == goal
