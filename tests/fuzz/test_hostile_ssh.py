"""A hostile SSH server: packets and channels that no honest one would send."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncssh
import pytest

from pybridge.errors import RemoteError
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import Command
from pybridge.transport.process import Stream
from tests.kit.asyncssh_server import EmbeddedServer, run_locally
from tests.kit.effort import by_effort
from tests.kit.figures import tell
from tests.kit.pools import open_pool


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Local files of ours go to a folder of the test."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))


async def _tiny_packets(process: asyncssh.SSHServerProcess, marker: bytes) -> None:
    process.stdout.write(b"\n%s 999999999 ok\n" % marker)
    process.stderr.write(b"\n%s\n" % marker)
    for _ in range(by_effort(5, 10, 100)):
        for _ in range(1000):
            process.stdout.write(b"y")
        await process.stdout.drain()
    process.exit(0)


async def _huge_status(process: asyncssh.SSHServerProcess, marker: bytes) -> None:
    process.stdout.write(b"\n%s 999999999 ok\n" % marker)
    process.stderr.write(b"\n%s\n" % marker)
    process.exit(0xFFFFFFFF)


async def _strange_signal(process: asyncssh.SSHServerProcess, marker: bytes) -> None:
    process.stdout.write(b"\n%s 999999999 ok\n" % marker)
    process.exit_with_signal("\x1b]0;owned\x07" + "S" * 10_000, False, "\x1b[2J" * 1000)


async def _disconnects(process: asyncssh.SSHServerProcess, marker: bytes) -> None:
    process.channel.get_connection().disconnect(11, "\x1b]0;owned\x07" * 100)


async def _closes_at_once(process: asyncssh.SSHServerProcess, marker: bytes) -> None:
    process.close()


ATTACKS = (_tiny_packets, _huge_status, _strange_signal, _disconnects, _closes_at_once)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_command_over_a_hostile_channel_ends(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    attack: Callable[[asyncssh.SSHServerProcess, bytes], Awaitable[None]],
) -> None:
    attacks = False

    async def serve(process: asyncssh.SSHServerProcess) -> None:
        if not attacks:
            await run_locally(process)
            return
        said = b""
        while b"\nexec" not in said:
            if not (piece := await process.stdin.read(65536)):
                return
            said += piece
        marker = said.partition(b" ok\\n' ")[2][:32]
        await attack(process, marker)

    async with (
        EmbeddedServer(tmp_path, process_factory=serve, **_anybody()) as server,
        open_pool(server.ssh_command(), password="p") as pool,
    ):
        host = await Host.connect(pool, HostOptions(workdir=str(tmp_path), login=False))
        host._shells.drop_idle()
        attacks = True
        size = 0

        def count(stream: Stream, data: bytes) -> None:
            nonlocal size
            size += len(data)

        try:
            async with asyncio.timeout(60):
                result = await host.run(Command("true", str(tmp_path), timeout=20, on_output=count))
            assert result.code is None or 0 <= result.code < 2**32
            assert result.signal is None or (len(result.signal) < 100 and result.signal.isprintable())
        except RemoteError as error:
            assert "\x1b" not in str(error)
        attacks = False
        host._shells.drop_idle()
        for _ in range(5):
            try:
                assert (await host.run(Command("exit 7", str(tmp_path), timeout=20))).code == 7
                break
            except RemoteError:
                continue
        else:
            raise AssertionError("no honest call is served any more")
        await host.close()
    tell(request, "fuzz", "a hostile SSH server", 1)


def _anybody() -> dict:
    return {"password": "p"}
