"""Many reads at once travel together, and none is hindered by another."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pybridge.errors import ConnectionLostError, RemoteTimeoutError
from pybridge.host import fetch_batches
from pybridge.host.control_shell import ControlShell
from pybridge.host.framing import Reply
from pybridge.host.host import Host
from pybridge.host.model import Fetched
from tests.host.conftest import Userland, connected
from tests.host.test_lying_programs import lying

MANY = 30


class Requests:
    """What control shells are asked, each request held back for a moment, so that others gather behind it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scripts: list[str] = []
        self.lose = 0
        request = ControlShell.request

        async def noted(shell: ControlShell, script: str, **options: Any) -> Reply:
            self.scripts.append(script)
            await asyncio.sleep(0.05)
            if self.lose:
                self.lose -= 1
                shell.usable = False
                raise ConnectionLostError("lost")
            return await request(shell, script, **options)

        monkeypatch.setattr(ControlShell, "request", noted)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    return Requests(monkeypatch)


def lay_out(folder: Path, count: int = MANY) -> list[Path]:
    paths = [folder / f"{number}" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_text(f"{number}\n")
    return paths


async def all_of(host: Host, paths: list[Path]) -> list[Fetched]:
    return list(await asyncio.gather(*(host.files.fetch_one(str(path)) for path in paths)))


async def test_each_gets_its_own_file_and_few_requests_are_made(
    local: Host, tmp_path: Path, requests: Requests
) -> None:
    paths = lay_out(tmp_path)
    files = await all_of(local, paths)
    assert [(file.path, file.content) for file in files] == [(str(path), path.read_bytes()) for path in paths]
    assert len(requests.scripts) <= 5


async def test_what_may_be_large_does_not_all_go_together(
    local: Host, tmp_path: Path, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_batches, "_MOST_FILES", 4)
    await all_of(local, lay_out(tmp_path))
    of_files = [script.count(f"{tmp_path}/") for script in requests.scripts]
    assert max(of_files) <= 8 and len(of_files) >= MANY / 4  # each path is named twice where several go together


async def test_who_gives_up_takes_nothing_from_the_others(local: Host, tmp_path: Path, requests: Requests) -> None:
    paths = lay_out(tmp_path)
    tasks = [asyncio.create_task(local.files.fetch_one(str(path))) for path in paths]
    for number in (0, 1, 2, 3, 4, 17, 29):
        await asyncio.sleep(0.02)
        tasks[number].cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    for number, (path, file) in enumerate(zip(paths, done, strict=True)):
        if isinstance(file, asyncio.CancelledError):
            assert number in (0, 1, 2, 3, 4, 17, 29)
        else:
            assert isinstance(file, Fetched) and file.content == path.read_bytes()
    assert (await local.files.fetch_one(str(paths[0]))).content == b"0\n"


async def test_a_lost_link_costs_one_more_request(local: Host, tmp_path: Path, requests: Requests) -> None:
    paths = lay_out(tmp_path)
    requests.lose = 2
    assert [file.content for file in await all_of(local, paths)] == [path.read_bytes() for path in paths]
    requests.lose = 100
    lost = await asyncio.gather(*(local.files.fetch_one(str(path)) for path in paths), return_exceptions=True)
    assert all(isinstance(error, ConnectionLostError) for error in lost)
    requests.lose = 0
    assert (await local.files.fetch_one(str(paths[0]))).content == b"0\n"


async def test_a_file_that_does_not_answer_hinders_no_other(
    tmp_path: Path, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_batches, "DEFAULT_TIMEOUT", 1.0)
    monkeypatch.setattr(fetch_batches, "SLOWEST_BYTES_PER_SECOND", 2**40)
    (tmp_path / "work").mkdir()
    paths = lay_out(tmp_path / "work", 12)
    (tmp_path / "work" / "7").write_bytes(b"x" * 70_000)
    async with lying(tmp_path, "head", f'case "$*" in *{paths[7]}) sleep 20 ;; esac') as host:
        (tmp_path / "lies").touch()
        done = await asyncio.gather(*(host.files.fetch_one(str(path)) for path in paths), return_exceptions=True)
    assert isinstance(done.pop(7), RemoteTimeoutError)
    del paths[7]
    assert [file.content for file in done if isinstance(file, Fetched)] == [path.read_bytes() for path in paths]


async def test_a_host_that_is_closed_fails_all(userland: Userland, tmp_path: Path, requests: Requests) -> None:
    paths = lay_out(tmp_path)
    async with connected(userland()) as host:
        tasks = [asyncio.create_task(host.files.fetch_one(str(path))) for path in paths]
        await asyncio.sleep(0.02)
    async with asyncio.timeout(20):
        done = await asyncio.gather(*tasks, return_exceptions=True)
    assert any(isinstance(result, ConnectionLostError) for result in done)
