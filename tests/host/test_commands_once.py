"""A command is never run twice, wherever its link is cut, and what is told of it is true."""

from __future__ import annotations

import asyncio
import random
import shlex
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.errors import ConnectionLostError, RemoteError
from pybridge.host.host import Host, HostOptions
from pybridge.host.lost_commands import CommandProcess, describe_loss
from pybridge.host.model import ABSENT, Change, Command, CommandResult
from pybridge.transport import pulse
from pybridge.transport.process import ExitStatus
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_pool import SshPool
from pybridge.transport.ssh_target import resolve_target
from tests.kit import figures
from tests.kit.effort import by_effort
from tests.kit.fault_proxy import Fault, FaultProxy, Place, Way
from tests.kit.pools import open_pool, through, until
from tests.kit.sleeping import Sleep
from tests.kit.ssh_packets import CIPHER
from tests.kit.sshd import SshServer

SENT = "The command had been sent; whether it was started is not known."
STARTED = "The command had been started; whether it got to its end is not known."
ENDED = "The command had ended by then (exit code 0)"


@dataclass
class Bench:
    """A host behind a link that can be cut, and its work folder, looked at directly."""

    server: SshServer
    proxy: FaultProxy
    folder: Path
    pool: SshPool
    host: Host

    async def run(
        self, text: str, abort: asyncio.Event | None = None, *, timeout: float = 60
    ) -> tuple[CommandResult, str]:
        """Run it; how it ended and what it printed."""
        output = bytearray()
        command = Command(text, str(self.folder), timeout, abort, lambda _, data: output.extend(data))
        return await self.host.run(command), output.decode()

    def cut(self, *, silently: bool) -> None:
        """End the connections there are; silently: nobody is told, and nothing comes through any more."""
        self.proxy.strike(_fault(silently))

    def cut_at(self, way: Way, packets: int, *, silently: bool) -> None:
        """Do so when so many further packets go one way: the last of them does not come through."""
        self.proxy.arm(_fault(silently), Place(way, packets - 1, 0))

    def lines(self, name: str) -> list[str]:
        """The lines of a file in the work folder."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    async def there(self, name: str) -> None:
        """Wait for a file."""
        assert await until(lambda: bool(self.lines(name)), seconds=60), f"no {name}"


def _fault(silently: bool) -> Fault:
    return Fault.BLACK_HOLE if silently else Fault.RESET


@pytest.fixture
async def bench(openssh: SshServer, tmp_path: Path) -> AsyncIterator[Bench]:
    folder = tmp_path / "work"
    folder.mkdir()
    async with FaultProxy(openssh.port) as proxy:
        known = tmp_path / "known_hosts"
        known.write_text(openssh.known_hosts.read_text().replace(f":{openssh.port} ", f":{proxy.port} "))
        # Keep-alives of a second or two: what is cut silently is found out while one waits for it.
        quick = ("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2", "-o", f"Ciphers={CIPHER}")
        command = openssh.ssh_command_with(*quick, known_hosts=known, port=proxy.port)
        pool = SshPool(resolve_target(parse_ssh_command(command)), command_size=1)
        host = await Host.connect(pool, HostOptions(workdir=str(folder)))
        await host.login_captured()
        try:
            yield Bench(openssh, proxy, folder, pool, host)
        finally:
            await host.close()
            await pool.close()


async def test_idle_and_dead_without_a_word_it_is_sent_once_over_a_new_link(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep = Sleep(monkeypatch)
    monkeypatch.setattr(pulse, "ANSWER_SECONDS", 1.0)
    await bench.run("true")
    bench.cut(silently=True)
    sleep()
    result, output = await bench.run("echo x >> count; cat count")
    assert (result.code, output) == (0, "x\n")
    assert bench.lines("count") == ["x"]


@pytest.mark.parametrize("silently", [False, True])
async def test_cut_before_it_arrives_nothing_is_run(bench: Bench, silently: bool) -> None:
    await bench.run("true")
    await _quiet(bench)
    bench.cut_at(Way.TO_SERVER, 1, silently=silently)
    with pytest.raises(ConnectionLostError) as caught:
        await bench.run("echo x >> count")
    assert SENT in str(caught.value)
    await bench.run("true")
    assert bench.lines("count") == []


async def test_a_timeout_does_not_claim_to_have_ended_what_was_never_heard_of(bench: Bench) -> None:
    await bench.run("true")
    await _quiet(bench)
    bench.cut_at(Way.TO_SERVER, 1, silently=True)
    with pytest.raises(ConnectionLostError) as caught:
        await bench.run("echo x >> count", timeout=0.3)
    assert SENT in str(caught.value)
    await _run_something(bench)
    assert bench.lines("count") == []


@pytest.mark.parametrize("silently", [False, True])
async def test_cut_while_it_runs_it_has_ended_when_the_next_one_begins(bench: Bench, silently: bool) -> None:
    """Also where the server does not notice the loss, so that its guard does nothing."""
    running = asyncio.create_task(bench.run("echo x >> count; echo $$ > pid; sleep 4721; echo y >> count"))
    await bench.there("pid")
    [pid] = bench.lines("pid")
    bench.cut(silently=silently)
    with pytest.raises(ConnectionLostError) as caught:
        await running
    assert STARTED in str(caught.value)
    assert "the next command ends it first" in str(caught.value)
    _, output = await bench.run(f"{_lives(pid)} && echo runs on; echo x >> count")
    assert output == ""
    assert bench.lines("count") == ["x", "x"]


async def test_a_command_survives_a_sleep_that_its_link_survives(
    openssh: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network takes longer to come back than a call waits for it; others have a new link meanwhile."""
    sleep = Sleep(monkeypatch)
    async with DelayProxy(openssh.port, 0) as proxy, open_pool(through(openssh, proxy)) as pool:
        host = await Host.connect(pool, HostOptions(workdir=str(tmp_path)))
        output = bytearray()
        text = "echo x >> count; until [ -e go ]; do sleep 0.1; done; echo over"
        command = Command(text, str(tmp_path), on_output=lambda _, data: output.extend(data))
        running = asyncio.create_task(host.run(command))
        assert await until((tmp_path / "count").exists, seconds=60)
        monkeypatch.setattr(pulse, "ANSWER_SECONDS", 1.0)
        back = proxy.forsake()
        sleep()
        assert (await host.run(Command("touch go", str(tmp_path)))).code == 0
        assert not running.done()
        back.set()
        assert (await running).code == 0
        assert output == b"over\n"
        assert (tmp_path / "count").read_text() == "x\n"
        await host.close()


@pytest.mark.whole
async def test_what_a_lost_command_has_left_running_on_purpose_stays(bench: Bench) -> None:
    """It got to its end unseen; what has its number now, or belongs to its group, is not touched."""
    text = "sleep 4722 >/dev/null 2>&1 & echo $! > daemon; echo x > begun; until [ -e go ]; do sleep 0.1; done"
    running = asyncio.create_task(bench.run(f"{text}; echo x > over"))
    await bench.there("begun")
    bench.cut(silently=True)
    (bench.folder / "go").touch()
    await bench.there("over")
    with pytest.raises(ConnectionLostError) as caught:
        await running
    assert STARTED in str(caught.value)
    _, output = await bench.run("kill -0 $(cat daemon) && echo stays; kill $(cat daemon)")
    assert output == "stays\n"


@pytest.mark.whole
async def test_one_that_ignores_the_first_signal_gets_the_second(bench: Bench) -> None:
    text = "trap '' TERM; echo $$ > pid; while :; do sleep 1; done"
    running = asyncio.create_task(bench.run(text))
    await bench.there("pid")
    [pid] = bench.lines("pid")
    bench.cut(silently=True)
    with pytest.raises(ConnectionLostError):
        await running
    _, output = await bench.run(f"{_lives(pid)} && echo runs on; true")
    assert output == ""


async def test_a_stranger_with_its_number_is_not_touched(bench: Bench) -> None:
    await bench.run("sleep 4723 >/dev/null 2>&1 & echo $! > pid")
    [pid] = bench.lines("pid")
    bench.host._commands._lost.add(CommandProcess(int(pid), "1"))
    _, output = await bench.run(f"kill -0 {pid} && echo lives; kill {pid}")
    assert output == "lives\n"


@pytest.mark.whole
async def test_a_search_is_made_again_over_a_new_link(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(pulse, "WAITED_SECONDS", 1.0)
    (bench.folder / "a.txt").write_text("needle\n")
    for silently in (False, True):
        await bench.host.search.glob("*.txt", str(bench.folder))
        await _quiet(bench)
        bench.cut_at(Way.TO_SERVER, 1, silently=silently)
        found = await bench.host.search.glob("*.txt", str(bench.folder))
        assert bench.proxy.struck.is_set()
        assert found.paths == (str(bench.folder / "a.txt"),)
        await bench.host.search.grep("needle", str(bench.folder))
        await _quiet(bench)
        bench.cut_at(Way.TO_CLIENT, 1, silently=silently)
        grepped = await bench.host.search.grep("needle", str(bench.folder))
        assert len(grepped.matches) == 1
        assert bench.proxy.struck.is_set()


async def test_a_file_is_read_again_over_a_new_link(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(pulse, "WAITED_SECONDS", 1.0)
    (bench.folder / "a.txt").write_text("content\n")
    path = str(bench.folder / "a.txt")
    for way in Way:
        for silently in (False, True):
            await bench.host.files.fetch_one(path)
            await _quiet(bench)
            bench.cut_at(way, 1, silently=silently)
            assert (await bench.host.files.fetch_one(path)).content == b"content\n"


@pytest.mark.whole
@pytest.mark.parametrize("way", list(Way))
@pytest.mark.parametrize("silently", [False, True])
async def test_a_change_cut_off_is_made_once(bench: Bench, way: Way, silently: bool) -> None:
    """Before it arrives, or before its answer does: over a new link it is found out which, and made if it was not."""
    path = str(bench.folder / "a.txt")
    await bench.host.files.apply([Change(path, ABSENT, b"one\n")])
    old = (await bench.host.files.fetch_one(path)).version
    assert old is not None
    await _quiet(bench)
    bench.cut_at(way, 1, silently=silently)
    [applied] = await bench.host.files.apply([Change(path, old, b"two\n")])
    assert bench.proxy.struck.is_set()
    assert (bench.folder / "a.txt").read_bytes() == b"two\n"
    assert (await bench.host.files.fetch_one(path)).version == applied.version
    assert [entry.name for entry in bench.folder.iterdir()] == ["a.txt"]


async def test_an_abort_does_not_wait_for_a_connection(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.run("true")
    bench.proxy._server.close()
    bench.cut(silently=False)
    assert await until(lambda: bench.pool.state.value == "lost")
    hangs = asyncio.Event()

    async def hang(*_: object) -> None:
        hangs.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(bench.pool._connector, "open", hang)
    abort = asyncio.Event()
    running = asyncio.create_task(bench.run("echo x >> count", abort))
    await asyncio.wait_for(hangs.wait(), 60)
    abort.set()
    result, _ = await asyncio.wait_for(running, 60)
    assert result == CommandResult(None, None, aborted=True)
    assert bench.lines("count") == []


def test_what_is_told_of_one_that_had_ended() -> None:
    loss = ConnectionLostError("The connection to h was lost.", next_step="x")
    process = CommandProcess(7, "12")
    assert ENDED in str(describe_loss(loss, process, ExitStatus(code=0)))
    assert "killed by signal KILL" in str(describe_loss(loss, process, ExitStatus(signal="KILL")))
    assert STARTED in str(describe_loss(loss, process, None))
    assert "when the server notices" in str(describe_loss(loss, CommandProcess(7, "-"), None))
    assert SENT in str(describe_loss(loss, None, None))


def _places(seed: int, count: int) -> list[tuple[Way, int, bool]]:
    chosen = random.Random(seed)
    return [(chosen.choice(list(Way)), chosen.randint(1, 8), chosen.random() < 0.4) for _ in range(count)]


@pytest.mark.parametrize("seed", range(by_effort(1, 4, 16)))
async def test_cut_at_any_packet_it_is_run_at_most_once_and_the_truth_is_told(
    bench: Bench, request: pytest.FixtureRequest, seed: int
) -> None:
    """Packets of the start, of the run, of the output and of the end; with the server told of the cut, or not."""
    wrong = []
    places = _places(seed, by_effort(3, 12, 40))
    for number, (way, packets, silently) in enumerate(places):
        await _run_something(bench)
        await _quiet(bench)
        bench.cut_at(way, packets, silently=silently)
        told, result = "", None
        word = shlex.quote(f"n{number}")
        try:
            # The pause in the middle is a place to be cut at, for the second look at what has come to an end.
            result, told = await bench.run(
                f"echo {word} >> count; echo begun; sleep 0.3; echo {word} >> over; echo end"
            )
        except RemoteError as error:
            told = str(error)
        bench.proxy.disarm()
        await _run_something(bench)  # whatever was lost has ended with this
        begun, over = bench.lines("count").count(f"n{number}"), bench.lines("over").count(f"n{number}")
        true = begun <= 1 and over <= 1
        if result is not None:
            true = true and result.code == 0 and told == "begun\nend\n" and over == 1
        elif ENDED in told:
            true = true and over == 1
        elif STARTED in told:
            true = true and begun == 1
        else:
            true = true and SENT in told
        if not true:
            wrong.append((way, packets, silently, begun, over, told, result))
    kinds = {silently: sum(place[2] is silently for place in places) for silently in (False, True)}
    figures.tell(request, "reconnect", "command, link cut at a packet, both sides told", kinds[False])
    figures.tell(request, "reconnect", "command, link cut at a packet, nobody told", kinds[True], len(wrong))
    assert wrong == []


async def _run_something(bench: Bench) -> None:
    """Over a new link, if the one there is has been cut by now and nobody knows."""
    for last_try in (False, True):
        try:
            await bench.run("true")
            return
        except ConnectionLostError:
            if last_try:
                raise


def _lives(pid: str) -> str:
    """Shell text: whether a process is there and no zombie."""
    return f"grep -q '^State:.[^ZX]' /proc/{pid}/status 2>/dev/null"


async def _quiet(bench: Bench) -> None:
    """Wait until the shells that are kept ready are there, so that the next packets are of the next call."""
    ready = bench.host._shells
    assert await until(lambda: not ready._opening and len(ready._idle) >= ready._ready, seconds=60)
