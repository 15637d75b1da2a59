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


async def test_a_folder_and_a_file_of_the_workspace(slow: SlowLink) -> None:
    """That a path leads nowhere else is found out by the search itself."""
    (slow.folder / "sub").mkdir(exist_ok=True)  # several servers share it
    (slow.folder / "sub/one.txt").write_text("needle\n")
    if not (slow.folder / "link").is_symlink():
        (slow.folder / "link").symlink_to("sub")
    for path in ("sub", "link"):
        assert await slow.trips(1, lambda _, path=path: slow("glob", pattern="*.txt", path=path)) == 1
    for path in ("sub", "link", "sub/one.txt"):
        assert await slow.trips(1, lambda _, path=path: slow("grep", pattern="needle", path=path)) == 1
