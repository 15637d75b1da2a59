"""The job of the row `bash`."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import pytest

from pybridge.errors import CommandFailedError, FileMissingError
from tests.kit.waiting import wait_until
from tests.matrix.work import Work
from tests.tools.kit import Call


async def bash(work: Work) -> None:
    """Both output streams in order, the exit code, the signal, the working folder, 1 MB of output; a command that
    times out is ended with everything it started, while another command goes on; a missing folder runs nothing."""
    result = await work("bash", command="echo one; sleep 0.3; echo zwei é >&2; sleep 0.3; pwd", workdir=work.folder)
    assert result.output == f"one\nzwei é\n{work.folder}\n"
    with pytest.raises(CommandFailedError) as failed:
        await work("bash", command="echo out; exit 3")
    assert str(failed.value) == "out\n\nExit code: 3"
    with pytest.raises(CommandFailedError, match="Killed by signal TERM$"):
        await work("bash", command="kill -15 $$")

    await work("bash", command="i=0; while [ $i -lt 200 ]; do echo line $i >> made; i=$((i+1)); done",
               workdir=work.folder)  # fmt: skip
    assert work.truth.read(f"{work.folder}/made") == "".join(f"line {i}\n" for i in range(200)).encode()
    line = "0123456789" * 10
    much = await work("bash", command=f"i=0; while [ $i -lt 10000 ]; do echo $i {line}; i=$((i+1)); done")
    assert much.output.endswith(f"9998 {line}\n9999 {line}\n")
    kept = Path(much.metadata["outputPath"]).read_text(encoding="utf-8")
    assert kept == "".join(f"{i} {line}\n" for i in range(10_000))

    with pytest.raises(FileMissingError):
        await work("bash", command="touch made-too", workdir=f"{work.folder}/missing")
    assert work.truth.names(work.folder) == ["made"]
    await _timeout_ends_the_tree_alone(work)


async def _timeout_ends_the_tree_alone(work: Work) -> None:
    # Arguments of sleep that nothing else on the machine has.
    slow, child, other = (f"7{secrets.randbelow(10**8):08d}.{n}" for n in range(3))
    surviving = Call()
    running = asyncio.create_task(
        work("bash", surviving, command=f"echo up; sleep {other} & wait $!; echo not reached", timeout=600_000)
    )
    async with asyncio.timeout(60):
        while not any("up" in str(shown.get("output", "")) for shown in surviving.shown):
            await asyncio.sleep(0.02)
    cut = await work("bash", command=f"sleep {child} & sleep {slow}; echo not reached", timeout=1500)
    assert "exceeding timeout 1500 ms" in cut.output and "not reached" not in cut.output
    for ended in (slow, child):
        await asyncio.to_thread(
            wait_until, lambda ended=ended: not work.truth.runs(f"sleep {ended}"), "end of the tree"
        )
    assert work.truth.runs(f"sleep {other}"), "another command of the same connection was ended too"
    assert not running.done()
    surviving.abort.set()
    assert "aborted" in (await running).output
    await asyncio.to_thread(wait_until, lambda: not work.truth.runs(f"sleep {other}"), "end of the aborted command")
