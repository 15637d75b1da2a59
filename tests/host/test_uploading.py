"""Large contents on their way: through several channels where there is room, through one everywhere else."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pybridge.errors import ChannelError, ConnectionLostError, FileError
from pybridge.host import uploading
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import ABSENT, Change
from pybridge.transport.local_process import LocalCarrier
from pybridge.transport.process import ByteProcess, Carrier
from tests.host.conftest import Userland, busybox_programs, connected, local_host
from tests.host.test_applying import leftovers, replace
from tests.host.test_lying_programs import LIAR
from tests.kit.counterparts import need
from tests.kit.pools import open_pool
from tests.kit.sshd import SshServer, start_openssh

MIB = 1024 * 1024
CONTENT = os.urandom(17 * MIB + 12_345)


class Watched:
    """A carrier that tells how many further channels there were (implements `Carrier`).

    Args:
        carrier: the real one.
        local: it is one of a local shell, of which there may be several as well.
    """

    def __init__(self, carrier: Carrier, *, local: bool = False) -> None:
        self._carrier = carrier
        self._local = local
        self.transfers = 0
        self.further = 0
        self.refused = 0
        self.processes: list[ByteProcess] = []
        self.used = 0

    @property
    def opening_is_delicate(self) -> bool:
        return self._carrier.opening_is_delicate

    async def start(self, command: str, *, stdin: bytes = b"", reconnect: bool = True) -> ByteProcess:
        return await self._carrier.start(command, stdin=stdin, reconnect=reconnect)

    async def start_transfer(self, command: str, *, stdin: bytes = b"", further: bool = False) -> ByteProcess:
        try:
            real = self._carrier.start_transfer
            process = await real(command, stdin=stdin, further=further and not self._local)
        except ChannelError:
            self.refused += 1
            raise
        self.further += further
        self.transfers += not further
        self.processes.append(process)
        write, first = process.write, itertools.count()

        async def count(data: bytes) -> None:
            self.used += next(first) == 0
            await write(data)

        process.write = count
        return process

    async def close(self) -> None:
        await self._carrier.close()


@contextlib.asynccontextmanager
async def over(server: SshServer, folder: Path, **options: Any) -> AsyncIterator[tuple[Host, Watched]]:
    async with open_pool(server.ssh_command, **options) as pool:
        watched = Watched(pool)
        host = await Host.connect(watched, HostOptions(str(folder), login=False))
        try:
            yield host, watched
        finally:
            await host.close()


@pytest.fixture
def small_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several channels already for 700 KB."""
    monkeypatch.setattr(uploading, "LARGE_BYTES", 600 * 1024)
    monkeypatch.setattr(uploading, "SPAN_BYTES", 128 * 1024)


def seen_by_another(server: SshServer, path: Path) -> str:
    """The checksum of a file as OpenSSH's client finds it."""
    words = [*server.ssh_command.split(), f"sha256sum < {path}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[0]


@pytest.mark.parametrize("old", [None, b"old"], ids=["new", "over"])
async def test_a_large_content_travels_through_several_channels(
    openssh: SshServer, tmp_path: Path, old: bytes | None
) -> None:
    target = tmp_path / "large"
    async with over(openssh, tmp_path) as (host, watched):
        if old is not None:
            target.write_bytes(old)
        await replace(host, target, CONTENT)
        assert (watched.transfers, watched.further, watched.refused) == (1, 3, 0)
    assert seen_by_another(openssh, target) == hashlib.sha256(CONTENT).hexdigest()
    assert leftovers(tmp_path) == []


@pytest.mark.usefixtures("small_spans")
@pytest.mark.parametrize("size", [714_890, 786_432, 786_433, 1_000_001])
async def test_spans_that_do_not_come_out_even(openssh: SshServer, tmp_path: Path, size: int) -> None:
    content = (b"0123456789abcde\n" * (size // 16 + 1))[:size]
    async with over(openssh, tmp_path) as (host, watched):
        await asyncio.wait_for(replace(host, tmp_path / "large", content), 30)
        assert watched.further > 0
    assert (tmp_path / "large").read_bytes() == content


async def test_no_more_channels_than_there_are_spans(openssh: SshServer, tmp_path: Path) -> None:
    async with over(openssh, tmp_path) as (host, watched):
        for size, channels in ((3 * MIB, (0, 0)), (5 * MIB, (1, 0)), (8 * MIB, (2, 1))):
            await replace(host, tmp_path / f"{size}", CONTENT[:size])
            assert (watched.transfers, watched.further) == channels
            assert (tmp_path / f"{size}").read_bytes() == CONTENT[:size]


@pytest.mark.parametrize(("limit", "kept"), [(1, 0), (2, 0), (3, 1)])
async def test_a_server_that_allows_few_channels(tmp_path: Path, limit: int, kept: int) -> None:
    """One of those it grants is left to others."""
    server = start_openssh(tmp_path / "server", [f"MaxSessions {limit}"])
    (tmp_path / "work").mkdir()
    target = tmp_path / "work" / "large"
    try:
        async with over(server, tmp_path / "work", command_size=3) as (host, watched):
            await replace(host, target, CONTENT)
            assert (watched.transfers, watched.refused) == (1, 3 - watched.further)
            assert watched.further == min(limit - 1, 3)
            assert watched.used == 1 + kept
            other = tmp_path / "work" / "other"
            await replace(host, other, CONTENT)
            assert other.read_bytes() == target.read_bytes() == CONTENT
    finally:
        server.stop()


async def test_dropbear_is_given_one_channel(dropbear: SshServer, tmp_path: Path) -> None:
    async with over(dropbear, tmp_path) as (host, watched):
        await replace(host, tmp_path / "large", CONTENT)
        assert (watched.transfers, watched.further, watched.refused) == (1, 0, 0)
    assert (tmp_path / "large").read_bytes() == CONTENT


@pytest.mark.usefixtures("small_spans")
async def test_several_processes_fill_one_file_in_every_userland(userland: Userland, tmp_path: Path) -> None:
    watched = Watched(userland(), local=True)
    async with connected(watched) as host:
        for size in (700_000, 1_000_001, 3 * MIB):
            target = tmp_path / f"{size}"
            await replace(host, target, CONTENT[:size])
            await replace(host, target, CONTENT[-size:])
            assert target.read_bytes() == CONTENT[-size:]
        assert watched.further > 0
    assert leftovers(tmp_path) == []


@pytest.mark.usefixtures("small_spans")
async def test_without_dd_it_goes_through_one(tmp_path: Path) -> None:
    programs = busybox_programs(tmp_path / "programs", "dd")
    (tmp_path / "work").mkdir()
    carrier = local_host([need("dash")], path=programs, environment={"HOME": str(tmp_path)})
    watched = Watched(carrier, local=True)
    async with connected(watched) as host:
        await replace(host, tmp_path / "work" / "a", CONTENT[:MIB])
        assert watched.further > 0
        before = watched.further
        await replace(host, tmp_path / "work" / "b", CONTENT[:MIB])
        assert watched.further == before  # it is known by now
    assert (tmp_path / "work" / "a").read_bytes() == (tmp_path / "work" / "b").read_bytes() == CONTENT[:MIB]
    assert leftovers(tmp_path / "work") == []


@pytest.mark.usefixtures("small_spans")
@pytest.mark.parametrize(
    "lie",
    ["exit 1", "exit 0", "cat > /dev/null; exit 0", 'tr a-m n-z | "$REAL" "$@"; exit 0', "kill -9 $$", "cat; exit 0"],
    ids=["fails", "reads nothing", "writes nothing", "writes other bytes", "is killed", "writes elsewhere"],
)
async def test_law2_what_several_processes_spoil_is_sent_again_through_one(tmp_path: Path, lie: str) -> None:
    programs, work = tmp_path / "programs", tmp_path / "work"
    for folder in (programs, work):
        folder.mkdir()
    real = need("dd")
    text = LIAR.format(
        shell=need("dash"), path=os.environ["PATH"], lies=tmp_path / "lies", what=f"REAL={real}\n{lie}", real=real
    )
    (programs / "dd").write_text(text)
    (programs / "dd").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    watched = Watched(local_host([need("dash")], path=path, environment={"HOME": str(tmp_path)}), local=True)
    async with connected(watched) as host:
        (tmp_path / "lies").touch()
        (work / "over").write_bytes(b"old")
        for name in ("over", "new"):
            await replace(host, work / name, CONTENT[:MIB])
            assert (work / name).read_bytes() == CONTENT[:MIB]
        assert watched.transfers == 3
    assert leftovers(work) == []


@pytest.mark.usefixtures("small_spans")
async def test_law2_a_temporary_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    """As by a request that is settled while its upload is still on its way."""
    carrier = local_host([need("dash")], environment={"HOME": str(tmp_path)})

    class Late(Watched):
        async def start_transfer(self, command: str, *, stdin: bytes = b"", further: bool = False) -> ByteProcess:
            for path in leftovers(tmp_path):
                Path(path).unlink()
            return await super().start_transfer(command, stdin=stdin, further=further)

    async with connected(Late(carrier, local=True)) as host:
        with pytest.raises(FileError):
            await replace(host, tmp_path / "f", CONTENT[:MIB])
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == []


@pytest.mark.usefixtures("small_spans")
async def test_a_link_lost_under_several_channels_is_settled(openssh: SshServer, tmp_path: Path) -> None:
    async with over(openssh, tmp_path) as (host, watched):
        changing = asyncio.ensure_future(host.files.apply([Change(str(tmp_path / "f"), ABSENT, CONTENT)]))
        while watched.further < 2:
            await asyncio.sleep(0.001)
        for process in watched.processes:
            process._connection.abort()  # type: ignore[attr-defined]
        with contextlib.suppress(ConnectionLostError):
            await changing
        target = tmp_path / "f"
        assert not target.exists() or target.read_bytes() == CONTENT
    assert leftovers(tmp_path) == []


async def test_a_cancelled_upload_leaves_no_channel_behind(openssh: SshServer, tmp_path: Path) -> None:
    async with over(openssh, tmp_path) as (host, watched):
        for pause in (0.0, 0.01, 0.03, 0.1):
            sending = asyncio.ensure_future(host.files.apply([Change(str(tmp_path / "f"), ABSENT, CONTENT)]))
            await asyncio.sleep(pause)
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
            (tmp_path / "f").unlink(missing_ok=True)
        await replace(host, tmp_path / "f", CONTENT)
        carrier = watched._carrier
        links = carrier._groups["file"].links  # type: ignore[attr-defined]
        async with asyncio.timeout(20):
            while any(link.channels for link in links):
                await asyncio.sleep(0.05)
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_local_carrier_has_no_further_one() -> None:
    async def ask() -> None:
        await LocalCarrier(["sh", "-c"]).start_transfer("true", further=True)

    with pytest.raises(ChannelError):
        asyncio.run(ask())
