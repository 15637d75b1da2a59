"""Commands on real servers: output, exits, timeouts, aborts, process trees (law 7)."""

from __future__ import annotations

import asyncio
import random
import subprocess
import time
from pathlib import Path

import pytest

from pybridge.errors import ConfigurationError, FileMissingError, NotDirectoryError, ToolError
from pybridge.host.commands import Shell, command_script
from pybridge.host.facts import parse_probe
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import Command, CommandResult
from pybridge.transport.process import Stream
from pybridge.transport.ssh_pool import SshPool


async def run(
    host: Host, text: str, folder: Path, timeout: float | None = 60, abort: asyncio.Event | None = None
) -> tuple[CommandResult, bytes, bytes]:
    streams = {Stream.STDOUT: bytearray(), Stream.STDERR: bytearray()}
    command = Command(
        text, str(folder), timeout=timeout, abort=abort, on_output=lambda stream, data: streams[stream].extend(data)
    )
    result = await host.run(command)
    return result, bytes(streams[Stream.STDOUT]), bytes(streams[Stream.STDERR])


def alive(word: str, seconds: float = 5) -> list[str]:
    """Command lines of live processes with `word` in them; one that was just killed is given time to be gone."""
    deadline = time.monotonic() + seconds
    while True:
        listed = subprocess.run(["ps", "-eo", "stat=,args="], capture_output=True, text=True, check=True).stdout
        found = [line for line in listed.splitlines() if word in line and not line.startswith("Z")]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


@pytest.fixture
def nap() -> str:
    """A `sleep` that no other test, and no other run of this one, uses."""
    return f"sleep {random.randrange(10**6, 10**8)}"


async def test_D16_the_two_streams_come_apart_and_the_code_is_the_commands(host: Host, tmp_path: Path) -> None:
    result, out, err = await run(host, "printf out; printf err >&2; exit 7", tmp_path)
    assert (result.code, result.signal, out, err) == (7, None, b"out", b"err")


async def test_D16_a_signal_is_named(host: Host, tmp_path: Path) -> None:
    result, _, _ = await run(host, "kill -KILL $$", tmp_path)
    assert (result.code, result.signal) == (None, "KILL")


@pytest.mark.parametrize("code", [0, 1, 125, 126, 127, 130, 137, 255])
async def test_D16_every_code_is_told_from_a_signal(host: Host, tmp_path: Path, code: int) -> None:
    result, _, _ = await run(host, f"exit {code}", tmp_path)
    assert (result.code, result.signal) == (code, None)


async def test_a_slow_reader_makes_the_remote_wait(host: Host, tmp_path: Path) -> None:
    reading, size = asyncio.Event(), 0

    def take(stream: Stream, data: bytes) -> None:
        nonlocal size
        size += len(data)

    async def room() -> None:
        await reading.wait()

    text = f"head -c 40000000 /dev/zero; touch {tmp_path}/done"
    running = asyncio.create_task(host.run(Command(text, str(tmp_path), on_output=take, room=room)))
    await asyncio.sleep(2)
    assert not (tmp_path / "done").exists()
    reading.set()
    assert (await running).code == 0
    assert size == 40000000


async def test_a_slow_reader_gets_all_of_a_command_that_has_ended(host: Host, tmp_path: Path) -> None:
    reading, size = asyncio.Event(), 0

    def take(stream: Stream, data: bytes) -> None:
        nonlocal size
        size += len(data)

    async def room() -> None:
        await reading.wait()

    text = f"head -c 300000 /dev/zero; touch {tmp_path}/done"
    running = asyncio.create_task(host.run(Command(text, str(tmp_path), on_output=take, room=room)))
    while not (tmp_path / "done").exists():
        await asyncio.sleep(0.05)
    await asyncio.sleep(2)
    reading.set()
    assert (await running).code == 0
    assert size == 300000


async def test_output_is_handed_on_in_order_of_arrival(host: Host, tmp_path: Path) -> None:
    order: list[Stream] = []
    text = "for i in 1 2 3; do echo o; sleep 0.2; echo e >&2; sleep 0.2; done"
    await host.run(Command(text, str(tmp_path), on_output=lambda stream, data: order.append(stream)))
    assert order == [Stream.STDOUT, Stream.STDERR] * 3


async def test_standard_input_is_empty(host: Host, tmp_path: Path) -> None:
    result, out, _ = await run(host, "cat; read x; echo $?", tmp_path, timeout=20)
    assert (result.code, result.timed_out, out) == (0, False, b"1\n")


async def test_a_background_job_does_not_hold_the_command_and_its_output_before_is_whole(
    host: Host, tmp_path: Path, nap: str
) -> None:
    result, out, _ = await run(host, f"{nap} & echo started; seq 1000", tmp_path, timeout=30)
    assert result == CommandResult(0, None)
    assert out == b"started\n" + b"".join(b"%d\n" % i for i in range(1, 1001))
    for line in alive(nap):
        assert "sleep" in line
    await run(host, "pkill -f 'sleep 471[1]'", tmp_path)


@pytest.mark.parametrize("folder", ["missing", "file"])
async def test_nothing_runs_where_the_working_folder_is_none(host: Host, tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((FileMissingError, NotDirectoryError), match="nothing was run"):
        await run(host, f"touch {tmp_path}/ran", tmp_path / folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("size", [90_000, 300_000, 2_000_000])
async def test_a_long_command_line_is_taken(host: Host, tmp_path: Path, size: int) -> None:
    text = f"x='{'y' * size}'; echo ${{#x}}; cat; exit 3"
    result, out, err = await run(host, text, tmp_path)
    assert (result.code, out, err) == (3, b"%d\n" % size, b"")


async def test_D25_nothing_of_a_command_or_a_folder_is_executed_by_the_way(host: Host, tmp_path: Path) -> None:
    folder = tmp_path / "it's $(touch pwned) `id`\nx"
    folder.mkdir()
    result, out, _ = await run(host, "pwd; printf '%s' '$(id) `id`' \"it's\"", folder)
    assert (result.code, out) == (0, f"{folder}\n$(id) `id`it's".encode())
    assert list(tmp_path.rglob("pwned")) == []


async def test_a_nul_is_refused(host: Host, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="NUL"):
        await run(host, "echo a\0b", tmp_path)


async def test_law7_a_timeout_ends_the_whole_tree_and_nothing_else(host: Host, tmp_path: Path, nap: str) -> None:
    bystander = asyncio.create_task(run(host, "sleep 6; echo unharmed", tmp_path))
    await asyncio.sleep(0.5)
    text = f'echo begun; (trap "" TERM; {nap}) & {nap} & ({nap} | {nap}); {nap}'
    result, out, _ = await run(host, text, tmp_path, timeout=3)
    assert (result.timed_out, result.aborted, result.code, out) == (True, False, None, b"begun\n")
    assert alive(nap) == []
    other, out, _ = await bystander
    assert (other.code, out) == (0, b"unharmed\n")


async def test_law7_a_child_in_a_session_of_its_own_is_ended_too(host: Host, tmp_path: Path, nap: str) -> None:
    result, _, _ = await run(host, f"setsid {nap} & {nap}", tmp_path, timeout=3)
    assert result.timed_out
    assert alive(nap) == []


async def test_law7_an_abort_ends_the_whole_tree_and_keeps_the_output(host: Host, tmp_path: Path, nap: str) -> None:
    abort = asyncio.Event()
    asyncio.get_running_loop().call_later(1, abort.set)
    result, out, _ = await run(host, f"echo before; {nap} & {nap}", tmp_path, abort=abort)
    assert (result.aborted, result.timed_out, out) == (True, False, b"before\n")
    assert alive(nap) == []


async def test_law7_a_cancelled_wait_ends_the_tree(host: Host, tmp_path: Path, nap: str) -> None:
    task = asyncio.create_task(run(host, f"{nap}", tmp_path))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert alive(nap) == []


async def test_thirty_commands_at_once_all_answer(host: Host, tmp_path: Path) -> None:
    results = await asyncio.gather(*(run(host, f"echo {i}", tmp_path) for i in range(30)))
    assert [out for _, out, _ in results] == [b"%d\n" % i for i in range(30)]
    assert {result.code for result, _, _ in results} == {0}


async def test_law9_a_flood_of_output_is_handed_on_whole(host: Host, tmp_path: Path) -> None:
    total = 0

    def count(stream: Stream, data: bytes) -> None:
        nonlocal total
        total += len(data)

    result = await host.run(Command("head -c 20000000 /dev/zero", str(tmp_path), on_output=count))
    assert (result.code, total) == (0, 20_000_000)


async def test_commands_run_in_bash_when_the_login_shell_is_bash(host: Host, tmp_path: Path) -> None:
    result, out, _ = await run(host, 'a=(1 2 3); echo "${#a[@]}"', tmp_path)
    assert (result.code, out) == (0, b"3\n")


async def test_REMOTE_SHELL_overrides_and_a_missing_one_is_named(pool: SshPool, tmp_path: Path) -> None:
    host = await Host.connect(pool, HostOptions(str(tmp_path), shell="/bin/dash", login=False))
    _, out, _ = await run(host, 'echo "$0"', tmp_path)
    assert out == b"/bin/dash\n"
    await host.close()
    host = await Host.connect(pool, HostOptions(str(tmp_path), shell="/bin/no-such-shell", login=False))
    with pytest.raises(ConfigurationError, match="REMOTE_SHELL"):
        await run(host, f"touch {tmp_path}/ran", tmp_path)
    assert not (tmp_path / "ran").exists()
    await host.close()


async def test_a_workdir_is_resolved_once_on_the_remote(pool: SshPool, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "sub").mkdir()
    (tmp_path / "link").symlink_to("real/sub")
    host = await Host.connect(pool, HostOptions(str(tmp_path / "link"), login=False))
    assert host.place.workdir == str(tmp_path / "real" / "sub")
    await host.close()
    host = await Host.connect(pool, HostOptions(str(tmp_path / "nowhere"), login=False))
    with pytest.raises(FileMissingError, match="REMOTE_WORKDIR"):
        host.place.check()
    await host.close()


@pytest.mark.unit
def test_law7_nothing_is_run_of_a_command_cut_short_by_a_dying_link(tmp_path: Path) -> None:
    """Whatever beginning arrives: of a quoted text a part may be whole, `rm -r /a/` of `rm -r /a/'b c'`."""
    ran = tmp_path / "ran"
    command = Command(f"echo >{ran} 'a' b 'c d'", "/", environment={"NAME": "it's"})
    text = command_script(command, Shell("sh"), parse_probe(b"digest=cksum\nleads=1\n"), "M" * 32).encode()
    whole = text.rstrip(b"\n")
    for length in range(len(whole)):
        done = subprocess.run(["sh"], input=whole[:length], capture_output=True, check=False)
        assert (done.stdout, list(tmp_path.iterdir())) == (b"", []), whole[:length][-40:]
    subprocess.run(["sh"], input=b"pb_guard() { :; }\n" + text, capture_output=True, check=True)
    assert ran.read_bytes() == b"a b c d\n"


@pytest.mark.whole
async def test_a_command_that_closes_its_streams_is_waited_for(host: Host, tmp_path: Path) -> None:
    result, out, _ = await run(host, "echo begun; exec >&- 2>&-; sleep 6; exit 3", tmp_path, timeout=30)
    assert (result.code, out) == (3, b"begun\n")
