"""The adapter protocol: the driver and the loop that answers it, as two processes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.adapter import Adapter, TookTooLongError
from benchmarks.adapters.protocol import CallFailedError, UnsupportedError

pytestmark = pytest.mark.unit


@pytest.fixture
async def adapter(tmp_path: Path) -> AsyncIterator[Adapter]:
    async with Adapter("echo", f"{sys.executable} -m tests.benchmarks.echo_adapter", tmp_path / "home") as adapter:
        await adapter.init("ssh host", "/w", {"A": "b"})
        yield adapter


async def test_a_call_is_timed_and_its_output_measured_whole_and_kept_in_part(adapter: Adapter) -> None:
    timed = await adapter.tool("write", {"content": "aé" * 500}, keep=3)
    assert timed.bytes == 1500
    assert timed.output == "aéa"
    assert timed.seconds > 0


async def test_the_implementation_gets_session_settings_and_arguments(adapter: Adapter) -> None:
    assert (
        await adapter.tool("read", {"filePath": "f"}, session="two")
    ).output == "two /w {'A': 'b'} {'filePath': 'f'}"


async def test_a_long_text_is_made_in_the_adapter(adapter: Adapter) -> None:
    timed = await adapter.tool("write", {"content": {"$repeat": "abc", "$bytes": 1_000_001}}, keep=7)
    assert timed.bytes == 1_000_001
    assert timed.output == "abcabca"


async def test_many_calls_run_at_once_and_one_failure_fails_them_all_or_is_handed_back(adapter: Adapter) -> None:
    calls = [{"tool": "write", "args": {"content": str(i)}} for i in range(3)]
    many = await adapter.many(calls, keep=9)
    assert [one.output for one in many.each] == ["0", "1", "2"]
    calls[1] = {"tool": "edit", "args": {}}
    with pytest.raises(CallFailedError, match="1 of 3 failed: not to be changed"):
        await adapter.many(calls)
    assert [one.error for one in (await adapter.many(calls, checked=False)).each] == ["", "not to be changed", ""]


async def test_unsupported_failed_and_too_slow_are_told_apart_and_end_nothing(adapter: Adapter) -> None:
    with pytest.raises(UnsupportedError, match="echoes find nothing"):
        await adapter.tool("grep", {"pattern": "x"})
    with pytest.raises(UnsupportedError, match="echoes find nothing"):
        await adapter.many([{"tool": "grep", "args": {}}])
    with pytest.raises(CallFailedError, match="echo: not to be changed"):
        await adapter.tool("edit", {})
    with pytest.raises(TookTooLongError):
        await adapter.tool("glob", {}, limit=0.05)
    await adapter.reset()
    await adapter.track(["f"])
    assert (await adapter.tool("write", {"content": "still here"})).output == "still here"


async def test_memory_counts_what_was_taken_since_the_last_look(adapter: Adapter) -> None:
    await adapter.rss(watch=True)
    await adapter.tool("write", {"content": {"$repeat": "x", "$bytes": 50_000_000}})
    assert await adapter.rss(watch=True) > 40_000_000
    await adapter.tool("write", {"content": "x"})
    assert await adapter.rss() < 40_000_000


async def test_close_ends_the_program(adapter: Adapter) -> None:
    assert adapter._process is not None
    await adapter.close()
    assert await asyncio.wait_for(adapter._process.wait(), 20) == 0


async def test_a_program_that_ends_is_an_error_that_names_it(tmp_path: Path) -> None:
    async with Adapter("gone", "true", tmp_path) as adapter:
        with pytest.raises(CallFailedError, match="the adapter gone ended"):
            await adapter.init("ssh host", "/")
