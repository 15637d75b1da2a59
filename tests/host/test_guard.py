"""Law 7: a command ends with the connection that started it, and what it left running on purpose does not."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybridge.host.commands import Shell, command_script
from pybridge.host.facts import parse_probe
from pybridge.host.guard import guard_functions
from pybridge.host.model import Command
from tests.kit.counterparts import need
from tests.kit.sshd import SshServer
from tests.kit.waiting import WAIT_SECONDS, wait_until

CLIENT = """
import asyncio, sys
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import Command
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_pool import SshPool
from pybridge.transport.ssh_target import resolve_target

async def main():
    pool = SshPool(resolve_target(parse_ssh_command(sys.argv[1])))
    host = await Host.connect(pool, HostOptions(workdir=sys.argv[2]))
    for text in sys.argv[3:]:
        await host.run(Command(text, sys.argv[2]))

asyncio.run(main())
"""
"""A process that runs commands on a remote, to be killed."""


def lives(pid_file: Path) -> bool:
    """Whether the process whose id a file holds is there (a zombie is not)."""
    try:
        state = Path(f"/proc/{int(pid_file.read_text())}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def keeping(name: str) -> str:
    """A command that runs for long, its process id in a file; beside it, one in the background."""
    return f"sleep 4712 & echo $! > {name}-child; echo $$ > {name}.new; mv {name}.new {name}; wait"


@pytest.fixture
def ending(tmp_path: Path) -> Iterator[None]:
    """Whatever a failing test leaves is ended."""
    yield
    for file in tmp_path.iterdir():
        if file.is_file() and lives(file):
            os.kill(int(file.read_text()), signal.SIGKILL)


@pytest.mark.usefixtures("ending")
def test_law7_a_command_ends_when_its_client_is_killed_and_a_daemon_stays(server: SshServer, tmp_path: Path) -> None:
    """On OpenSSH and dropbear; the daemon was left by a command that had ended."""
    daemon = "sleep 4713 >/dev/null 2>&1 & echo $! > daemon"
    program = [sys.executable, "-c", textwrap.dedent(CLIENT), server.ssh_command, str(tmp_path)]
    client = subprocess.Popen([*program, daemon, keeping("main")])
    try:
        wait_until((tmp_path / "main").exists, "sign of the command")
        names = ["main", "main-child", "daemon"]
        assert [lives(tmp_path / name) for name in names] == [True] * 3
    finally:
        client.kill()
        client.wait()
    wait_until(lambda: not lives(tmp_path / "main") and not lives(tmp_path / "main-child"), "end of the command")
    assert lives(tmp_path / "daemon")


@pytest.mark.usefixtures("ending")
def test_law7_what_ignores_the_first_signal_gets_the_second(server: SshServer, tmp_path: Path) -> None:
    stubborn = "trap '' TERM; echo $$ > main.new; mv main.new main; while :; do sleep 1; done"
    client = subprocess.Popen([sys.executable, "-c", CLIENT, server.ssh_command, str(tmp_path), stubborn])
    try:
        wait_until((tmp_path / "main").exists, "sign of the command")
    finally:
        client.kill()
        client.wait()
    wait_until(lambda: not lives(tmp_path / "main"), "end of the command")


@pytest.fixture(params=["dash", *(pytest.param(name, marks=pytest.mark.whole) for name in ("bash", "busybox"))])
def shell(request: pytest.FixtureRequest) -> list[str]:
    """The words that start each kind of shell."""
    words = {"dash": [need("dash")], "bash": [need("bash"), "--posix"], "busybox": [need("busybox"), "ash"]}
    return words[request.param]


@dataclass
class Idle:
    """A shell that waits for a command, as a server starts it; its group is its own, as is its session if it leads."""

    process: subprocess.Popen[bytes]
    leads: bool

    def become(self, text: str, folder: Path) -> None:
        """Send it a command."""
        facts = parse_probe(f"digest=cksum\nleads={int(self.leads) or ''}\n".encode())
        script = command_script(Command(text, str(folder)), Shell("sh"), facts, "M" * 32)
        assert self.process.stdin is not None
        self.process.stdin.write(f"{guard_functions()}\n{script}".encode())
        self.process.stdin.flush()

    def end_input(self) -> None:
        """What the end of a channel or connection is to it."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def others(self) -> list[str]:
        """The other processes of its group."""
        listed = subprocess.run(["ps", "-eo", "pid=,pgid=,args="], capture_output=True, text=True, check=True).stdout
        rows = [line.split(None, 2) for line in listed.splitlines()]
        return [args for pid, group, args in rows if int(group) == self.process.pid != int(pid)]


@pytest.fixture(params=[True, False], ids=["leads", "does-not-lead"])
def idle(request: pytest.FixtureRequest, shell: list[str]) -> Iterator[Idle]:
    """An idle shell; whether it says to lead its session decides how its tree is found."""
    process = subprocess.Popen(
        shell, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    yield Idle(process, request.param)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_law7_in_every_shell_a_command_ends_with_its_input(idle: Idle, tmp_path: Path) -> None:
    idle.become(keeping("main"), tmp_path)
    wait_until((tmp_path / "main").exists, "sign of the command")
    assert lives(tmp_path / "main-child")
    idle.end_input()
    assert idle.process.wait(WAIT_SECONDS) == -signal.SIGTERM
    wait_until(lambda: not lives(tmp_path / "main-child"), "end of its child")
    wait_until(lambda: idle.others() == [], "end of the guard")


def test_in_every_shell_the_guard_ends_with_its_command_and_leaves_what_that_left(idle: Idle, tmp_path: Path) -> None:
    idle.become("sleep 4713 & echo $! > daemon", tmp_path)
    assert idle.process.wait(WAIT_SECONDS) == 0
    idle.end_input()
    wait_until(lambda: idle.others() == ["sleep 4713"], "end of the guard, or the daemon is gone")


def test_a_command_knows_nothing_of_its_guard(idle: Idle, tmp_path: Path) -> None:
    """No child it did not start, no descriptor it did not open, and no waiting for either."""
    look = "wait; jobs > jobs; ps -o ppid= -e > all; grep -cw $$ < all > children; ls /proc/$$/fd > fds"
    idle.become(look, tmp_path)
    assert idle.process.wait(WAIT_SECONDS) == 0
    assert (tmp_path / "jobs").read_text() == ""
    assert (tmp_path / "children").read_text().strip() == "1"  # ps itself
    assert "8" not in (tmp_path / "fds").read_text().split()
