"""Changes: the files are looked at in one round trip, however many there are, and changed in another."""

from __future__ import annotations

import asyncio

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
    write = lambda attempt: slow("write", filePath=f"new{attempt}/f", content="x" * 1024)  # noqa: E731
    assert await slow.trips(2, write) == 2


async def test_a_new_file_where_what_is_there_is_known(slow: SlowLink) -> None:
    await slow("write", filePath="beside/0", content="x")
    await slow("write", filePath="beside/1", content="x")
    write = lambda attempt: slow("write", filePath=f"beside/new{attempt}", content="x" * 1024)  # noqa: E731
    assert await slow.trips(1, write) == 1


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
    assert await slow.trips(2, lambda attempt: slow("apply_patch", patchText=patch(attempt))) == 2


async def test_what_is_known_as_it_is_needs_no_look(slow: SlowLink) -> None:
    (slow.folder / "known").write_text(LINES)
    await slow("read", filePath="known")

    async def edit(attempt: int) -> None:
        await slow("edit", filePath="known", oldString=f"line {attempt} of", newString=f"line number {attempt} of")

    assert await slow.trips(1, edit) == 1
    assert await slow.trips(1, lambda attempt: slow("write", filePath="known", content=f"{attempt}\n")) == 1
    # Also what we have made ourselves.
    await slow("write", filePath="made", content=LINES)
    assert await slow.trips(1, lambda attempt: slow("write", filePath="made", content=f"{attempt}\n")) == 1


async def test_a_patch_of_twenty_files_known_as_they_are(slow: SlowLink) -> None:
    for number in range(20):
        (slow.folder / f"patched{number}").write_text("first\nlast\n")
    with slow.quickly():
        for number in range(20):
            await slow("read", filePath=f"patched{number}")
    assert await slow.trips(1, lambda attempt: slow("apply_patch", patchText=patch(attempt))) == 1


async def test_after_a_command_everything_is_looked_at(slow: SlowLink) -> None:
    (slow.folder / "touched").write_text(LINES)
    await slow("read", filePath="touched")

    async def edit(attempt: int) -> None:
        await slow("bash", command="true")
        await slow("edit", filePath="touched", oldString=f"line {attempt} of", newString=f"line number {attempt} of")

    assert await slow.trips(3, edit) == 3


async def test_after_a_lost_link_everything_is_looked_at(slow: SlowLink) -> None:
    (slow.folder / "left").write_text("one\n")
    await slow("read", filePath="left")
    (slow.folder / "left").write_text("one\ntheirs\n")
    told, asked = len(slow.client.notifications), len(slow.client.permissions)
    slow.proxy.cut()
    async with asyncio.timeout(30):
        while len(slow.client.notifications) == told:
            await asyncio.sleep(0.02)
    await slow("edit", filePath="left", oldString="one", newString="two")
    assert (slow.folder / "left").read_text() == "two\ntheirs\n"
    assert ["theirs" in ask["metadata"]["diff"] for ask in slow.client.permissions[asked:]] == [True]
