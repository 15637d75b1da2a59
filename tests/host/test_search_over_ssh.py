"""Searches on real servers, as the host room runs them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pybridge.errors import CancelledByUserError, SearchError
from pybridge.host.host import Host
from pybridge.host.model import Match
from tests.host.test_search_glob import HOSTILE


async def test_names_and_lines_come_back_over_ssh(host: Host, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in HOSTILE:
        (tree / name).write_bytes(b"one\nneedle \xff\n")
    found = await host.search.glob("*", str(tree))
    assert sorted(found.paths) == sorted(f"{tree}/{name}" for name in HOSTILE)
    lines = await host.search.grep("needle", str(tree))
    assert set(lines.matches) == {Match(f"{tree}/{name}", 2, "needle \ufffd") for name in HOSTILE}


async def test_more_matches_than_asked_for(host: Host, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"f{number}").write_text("needle\n" * 1000)
    lines = await host.search.grep("needle", str(tmp_path), limit=10)
    assert (len(lines.matches), lines.truncated) == (10, True)
    names = await host.search.glob("f*", str(tmp_path), limit=10)
    assert (len(names.paths), names.truncated) == (10, True)


async def test_what_is_wrong_is_said_over_ssh(host: Host, tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="unclosed group"):
        await host.search.grep("(x", str(tmp_path))
    with pytest.raises(SearchError, match="No such file or directory"):
        await host.search.glob("*", str(tmp_path / "nowhere"))


async def test_an_aborted_search_over_ssh(host: Host) -> None:
    abort = asyncio.Event()
    searching = asyncio.ensure_future(host.search.grep("no such text [0-9]{9}x", "/usr", abort=abort))
    await asyncio.sleep(0)
    abort.set()
    with pytest.raises(CancelledByUserError):
        await searching
    assert (await host.search.grep("root", "/etc/passwd")).matches  # the connection is as good as before
