"""How often a search crosses the link, and with how much, on real servers that search in each way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.host.host import Host, HostOptions
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_pool import SshPool
from pybridge.transport.ssh_target import resolve_target
from tests.kit.pools import through
from tests.kit.userlands import SEARCHERS, searching_server

DELAY = 0.25
"""Seconds one way: well above what such a search takes there, so that each answer comes within its own round trip."""

SETTLED = 5 * DELAY
"""Seconds after which a shell that was used up has been replaced."""

MANY = 1200


@pytest.fixture
async def far(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Host, DelayProxy]]:
    """A host that searches in the way asked for, over a slow link."""
    folder = tmp_path / "server"
    folder.mkdir()
    with searching_server(folder, request.param) as server:
        async with DelayProxy(server.port, DELAY) as proxy:
            pool = SshPool(resolve_target(parse_ssh_command(through(server, proxy))))
            host = await Host.connect(pool, HostOptions(workdir=str(tmp_path), login=False))
            yield host, proxy
            await host.close()
            await pool.close()


@pytest.mark.parametrize("far", SEARCHERS, indirect=True)
async def test_a_search_is_one_round_trip_and_brings_what_is_shown(
    far: tuple[Host, DelayProxy], tmp_path: Path
) -> None:
    host, proxy = far
    tree = tmp_path / "tree"
    (tree / ".git").mkdir(parents=True)
    (tree / ".gitignore").write_text("*.log\n")
    for number in range(MANY):
        path = tree / str(number % 7) / f"{number:04}.{'log' if number % 4 == 0 else 'txt'}"
        path.parent.mkdir(exist_ok=True)
        path.write_text("needle\n")
        os.utime(path, (0, 1_700_000_000 - number))

    async def cost(search: Callable[[], Awaitable[object]], tries: int = 3) -> tuple[int, int]:
        """Round trips and bytes; the fewest of some tries, since a shell that is replaced meanwhile counts as well."""
        found = []
        for _ in range(tries):
            await asyncio.sleep(SETTLED)
            trips, size = proxy.round_trips, proxy.to_client.bytes
            await search()
            found.append((proxy.round_trips - trips, proxy.to_client.bytes - size))
            if found[-1][0] == 1:
                break
        return min(found)

    async def glob() -> None:
        found = await host.search.glob("!*.zzz", str(tree))
        expected = [n for n in range(MANY) if n % 4][:100]
        assert list(found.paths) == [f"{tree}/{n % 7}/{n:04}.txt" for n in expected]

    async def grep() -> None:
        found = await host.search.grep("needle", str(tree))
        assert (len(found.matches), found.truncated) == (100, True)
        assert all(match.path.endswith(".txt") for match in found.matches)

    first, _ = await cost(glob, 1)
    assert first >= (1 if host.facts.rg else 2)  # without ripgrep the rules have to be read first
    for search, most in ((glob, 20_000), (grep, 60_000)):
        trips, size = await cost(search)
        assert trips == 1
        assert size < most
