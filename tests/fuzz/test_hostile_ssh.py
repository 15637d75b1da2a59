"""A hostile SSH server: packets, channels and an SFTP subsystem that no honest one would send."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncssh
import pytest

from pybridge.errors import RemoteError
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import ABSENT, Change, Command, Fetch
from pybridge.host.uploading import SFTP_BYTES
from pybridge.transport.process import Stream
from tests.fuzz.test_hostile_server import haste
from tests.kit.asyncssh_server import EmbeddedServer, run_locally
from tests.kit.effort import by_effort
from tests.kit.figures import tell
from tests.kit.pools import open_pool


class _Lies(asyncssh.SFTPServer):
    """Says that it has written, and has not."""

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        return len(data)


class _Garbles(asyncssh.SFTPServer):
    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        return super().write(file_obj, offset, bytes(reversed(data)))  # type: ignore[return-value]


class _Fails(asyncssh.SFTPServer):
    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        raise asyncssh.SFTPFailure("\x1b]0;owned\x07" + "x" * 100_000)


class _Hangs(asyncssh.SFTPServer):
    async def write(self, file_obj: object, offset: int, data: bytes) -> int:  # type: ignore[override]
        await asyncio.sleep(600)
        return 0


class _Closes(asyncssh.SFTPServer):
    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        self.channel.abort()  # type: ignore[attr-defined]
        return len(data)


class _Elsewhere(asyncssh.SFTPServer):
    """Writes to another file than it was told."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        return super().open(path + b"-elsewhere", pflags, attrs)


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Local files of ours go to a folder of the test."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))


@pytest.mark.parametrize(
    "kind", [_Lies, _Garbles, _Fails, _Closes, _Elsewhere, pytest.param(_Hangs, marks=pytest.mark.whole)]
)
async def test_what_sftp_does_to_an_upload_never_reaches_the_file(
    request: pytest.FixtureRequest, tmp_path: Path, kind: type[asyncssh.SFTPServer]
) -> None:
    folder = tmp_path / "remote"
    folder.mkdir()
    target = folder / "large"
    old, new = b"old\n", os.urandom(SFTP_BYTES + 1)
    target.write_bytes(old)
    async with (
        EmbeddedServer(tmp_path, sftp=kind, options={"allow_scp": False}, **_anybody()) as server,
        open_pool(server.ssh_command(), password="p") as pool,
    ):
        host = await Host.connect(pool, HostOptions(workdir=str(folder), login=False))
        (held,) = await host.files.fetch([Fetch(str(target), None, 1000)])
        assert held.version is not None
        with haste() if kind is _Hangs else contextlib.nullcontext():
            try:
                await host.files.apply([Change(str(target), held.version, new)])
            except RemoteError as error:
                assert "\x1b" not in str(error) and len(str(error)) < 1000
        assert target.read_bytes() in (old, new)
        written = await host.files.apply([Change(str(folder / "small"), ABSENT, b"honest\n")])
        assert written[0].path == str(folder / "small")
        assert (folder / "small").read_bytes() == b"honest\n"
        await host.close()
    tell(request, "fuzz", "a hostile SFTP server", 1)


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
