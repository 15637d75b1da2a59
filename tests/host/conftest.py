"""A connected host on each kind of server; the "remote" work folder is a temporary one, looked at directly."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import pytest

from pybridge.host.host import Host, HostOptions
from pybridge.host.model import Command
from pybridge.transport.carriers import RemoteCarrier
from pybridge.transport.local_process import LocalCarrier
from pybridge.transport.openssh.carrier import OpensshCarrier
from pybridge.transport.openssh.command_line import read_command_line
from pybridge.transport.openssh.configuration import ask_ssh
from pybridge.transport.process import Carrier
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_pool import SshPool
from pybridge.transport.ssh_target import resolve_target
from tests.kit.counterparts import need
from tests.kit.sshd import SshServer, start_openssh

Userland = Callable[..., LocalCarrier]


@pytest.fixture(params=["openssh", "dropbear"])
def server(request: pytest.FixtureRequest) -> SshServer:
    """Each promised kind of server in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["asyncssh", pytest.param("system-ssh", marks=pytest.mark.whole)])
async def pool(request: pytest.FixtureRequest, server: SshServer) -> AsyncIterator[RemoteCarrier]:
    """A pool of connections to it, and the one connection of the system's ssh."""
    pool = (
        SshPool(resolve_target(parse_ssh_command(server.ssh_command)))
        if request.param == "asyncssh"
        else OpensshCarrier(ask_ssh(read_command_line(server.ssh_command)))
    )
    yield pool
    await pool.close()


@pytest.fixture
async def host(pool: RemoteCarrier, tmp_path: Path) -> AsyncIterator[Host]:
    """A host whose work folder is `tmp_path`."""
    host = await Host.connect(pool, HostOptions(workdir=str(tmp_path)))
    yield host
    await host.close()


@pytest.fixture
async def host_on_small_disk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Host, Path]]:
    """A host whose work folder is a file system of 200 KB, seen by the remote only."""
    folder = tmp_path_factory.mktemp("small")
    server = start_openssh(tmp_path_factory.mktemp("sshd"), hidden=[folder])
    pool = SshPool(resolve_target(parse_ssh_command(server.ssh_command)))
    try:
        host = await Host.connect(pool, HostOptions(workdir=str(folder)))
        await host.run(Command(f"mount -o remount,size=200k {folder}", "/"))
        yield host, folder
        await host.close()
    finally:
        await pool.close()
        server.stop()


@pytest.fixture
async def openssh_with_bind_mount(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Host, Path]]:
    """A host with a file that is a mount point, in the remote's mount namespace only."""
    folder = tmp_path_factory.mktemp("bound")
    server = start_openssh(tmp_path_factory.mktemp("sshd"), hidden=[folder])
    pool = SshPool(resolve_target(parse_ssh_command(server.ssh_command)))
    try:
        host = await Host.connect(pool, HostOptions(workdir=str(folder)))
        made = await host.run(Command("echo a > source && touch target && mount --bind source target", str(folder)))
        assert made.code == 0
        yield host, folder / "target"
        await host.close()
    finally:
        await pool.close()
        server.stop()


def local_host(
    shell: Sequence[str], *, prefix: Sequence[str] = (), path: str | None = None, environment: Mapping[str, str] = {}
) -> LocalCarrier:
    """A carrier whose every process is `shell`, with nothing but `environment` and PATH in its environment.

    Args:
        shell: the words that start it; it is what stands for the remote's /bin/sh.
        prefix: a program, with arguments, that starts it.
        path: its PATH.
    """
    variables = {"PATH": path or os.environ["PATH"], **environment}
    words = [*prefix, need("env"), "-i", *(f"{name}={value}" for name, value in variables.items())]
    # The command asked for, `exec /bin/sh`, becomes $0 and is not used.
    return LocalCarrier([*words, *shell, "-c", f"exec {' '.join(shell)}"])


def busybox_programs(folder: Path, *without: str) -> str:
    """A PATH of busybox applets only, less some."""
    busybox = need("busybox")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    folder.mkdir()
    for applet in set(applets) - set(without):
        (folder / applet).symlink_to(busybox)
    return str(folder)


@pytest.fixture(params=["dash", "bash", "busybox"])
def userland(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Userland:
    """Each shell in turn; busybox with nothing but its own applets."""
    home = tmp_path_factory.mktemp("home")

    def carrier(*, prefix: Sequence[str] = (), environment: Mapping[str, str] = {}) -> LocalCarrier:
        variables = {"HOME": str(home), **environment}
        match request.param:
            case "dash":
                return local_host([need("dash")], prefix=prefix, environment=variables)
            case "bash":
                return local_host([need("bash"), "--posix"], prefix=prefix, environment=variables)
        path = str(tmp_path_factory.getbasetemp() / "busybox-programs")
        if not Path(path).exists():
            busybox_programs(Path(path))
        return local_host([need("busybox"), "ash"], prefix=prefix, path=path, environment=variables)

    return carrier


@contextlib.asynccontextmanager
async def connected(carrier: Carrier) -> AsyncIterator[Host]:
    """A host on a carrier, without the login environment; both are closed at the end, also of a failing test."""
    try:
        host = await Host.connect(carrier, HostOptions(login=False))
        try:
            yield host
        finally:
            await host.close()
    finally:
        await carrier.close()


@pytest.fixture
async def local(userland: Userland) -> AsyncIterator[Host]:
    """A host that is a local shell."""
    async with connected(userland()) as host:
        yield host
