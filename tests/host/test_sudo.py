"""Commands that use sudo, with a real sudo on real servers: the password arrives, and touches nothing on its way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybridge.host.host import Host, HostOptions
from pybridge.host.model import Command, CommandResult
from pybridge.host.sudo import Sudo
from tests.kit.counterparts import need
from tests.kit.pools import open_pool
from tests.kit.secret_places import places_with
from tests.kit.sudo_server import SUDOERS, UID, USER, SudoServer
from tests.kit.waiting import wait_until

WRONG = "not the password"


@dataclass
class Remote:
    """A host with a sudo, and where its folder for sudo is."""

    server: SudoServer
    host: Host
    folder: Path

    async def run(self, text: str, *, timeout: float = 60, abort: asyncio.Event | None = None) -> Ran:
        """Run it with both streams in one, so that what it prints has an order."""
        output, text = bytearray(), f"exec 2>&1\n{text}"
        command = Command(text, self.server.home, timeout=timeout, abort=abort, on_output=lambda _, d: output.extend(d))
        result = await self.host.run(command)
        return Ran(result, output.decode())

    def is_clean(self) -> bool:
        """Nothing of a command is left in the folder."""
        return {path.name for path in self.folder.iterdir()} <= {"askpass", "proven", "refused", "noexec"}


@dataclass
class Ran:
    """How a command ended, and all it printed."""

    result: CommandResult
    output: str

    @property
    def code(self) -> int | None:
        return self.result.code


@pytest.fixture(scope="module")
def openssh_with_sudo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SudoServer]:
    with contextlib.closing(_Stopping(SudoServer(tmp_path_factory.mktemp("sudo")))) as stopping:
        yield stopping.server


@pytest.fixture(scope="module")
def dropbear_with_sudo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SudoServer]:
    with contextlib.closing(_Stopping(SudoServer(tmp_path_factory.mktemp("sudo"), "dropbear"))) as stopping:
        yield stopping.server


@dataclass
class _Stopping:
    server: SudoServer

    def close(self) -> None:
        self.server.stop()


@contextlib.asynccontextmanager
async def remote_on(
    server: SudoServer, password: str | None = "", *, scratch: str = "/tmp", shell: str | None = None
) -> AsyncIterator[Remote]:
    """A host on a server; its folder is looked at from outside, and removed.

    Args:
        password: for sudo; None for none, "" for the right one.
    """
    folder = f"{scratch}/pybridge-{secrets.token_hex(16)}"
    async with open_pool(server.ssh_command) as pool:
        host = await Host.connect(pool, HostOptions(shell=shell))
        if password is not None:
            host.offer_sudo(Sudo(password or server.password, folder))
        try:
            yield Remote(server, host, server.path(folder))
        finally:
            await host.run_control(f"rm -rf {folder}")
            await host.close()


@pytest.fixture
async def remote(openssh_with_sudo: SudoServer) -> AsyncIterator[Remote]:
    openssh_with_sudo.sudoers(SUDOERS)
    async with remote_on(openssh_with_sudo) as remote:
        yield remote


EACH_WAY = """
cd && printf 'sudo id -u\\n' > script; printf '#!/bin/sh\\n/usr/bin/sudo id -u\\n' > program; chmod +x program
echo plain $(sudo id -u)
echo x | sudo tee made >/dev/null; echo tee $(cat made) $(stat -c %u made)
for n in 1 2; do echo loop $(sudo -k id -u); done
echo script $(sh script) $(bash script) $(./program)
echo path $(/usr/bin/sudo id -u) $(env sudo id -u) $(command sudo id -u)
echo login $(bash -lc 'sudo id -u') $(sh -c 'sh -c "sudo id -u"')
echo xargs $(echo id | xargs sudo) $(find script -exec sudo id -u \\;)
echo nested $(sudo sh -c 'sudo -u nobody id -un; sudo id -u')
sudo id -u > behind & wait; echo background $(cat behind)
echo input $(printf data | sudo cat) $(sudo cat < script)
sudo -S -k id -u </dev/null >/dev/null 2>&1; echo own -S $?
echo never asks $(sudo -k -n id -u 2>&1)
sudo -p 'a prompt of its own' -k id -u
sudo -k; sudo -v; sudo -K; echo kept $?
"""

EACH_WAY_SAYS = """
plain 0
tee x 0
loop 0
loop 0
script 0 0 0
path 0 0 0
login 0 0
xargs uid=0(root) gid=0(root) groups=0(root) 0
nested nobody 0
background 0
input data sudo id -u
own -S 1
never asks sudo: a password is required
0
kept 0
"""


DEFAULTS = """
use_pty !use_pty !visiblepw timestamp_type=global timestamp_type=ppid passwd_tries=1 !env_reset always_set_home
passprompt_override,passprompt="%p:"
""".split()


async def test_sudo_works_however_it_is_called(remote: Remote) -> None:
    remote.server.sudoers(SUDOERS + "Defaults timestamp_timeout=0\n")
    ran = await remote.run(EACH_WAY)
    assert ran.output == EACH_WAY_SAYS.lstrip()
    assert ran.code == 0


@pytest.mark.whole
@pytest.mark.parametrize("defaults", DEFAULTS)
async def test_sudo_works_as_its_settings_have_it(remote: Remote, defaults: str) -> None:
    remote.server.sudoers(SUDOERS + f"Defaults {defaults}\n")
    ran = await remote.run("sudo -k; echo a | sudo tee f; sudo cat f; bash -c 'sudo -k id -un'; sudo sh -c 'exit 3'")
    assert (ran.output, ran.code) == ("a\na\nroot\n", 3)


async def test_several_at_once_all_get_it(remote: Remote) -> None:
    remote.server.sudoers(SUDOERS + "Defaults timestamp_timeout=0\n")
    ran = await remote.run("for n in 1 2 3 4 5 6 7 8; do sudo id -u & done; wait; sudo echo a | sudo cat | sudo cat")
    assert ran.output == "0\n" * 8 + "a\n"
    all_ran = await asyncio.gather(*(remote.run(f"sudo echo {n}") for n in range(6)))
    assert [ran.output for ran in all_ran] == [f"{n}\n" for n in range(6)]


async def test_law6_the_password_is_in_no_file_argument_or_environment(remote: Remote, tmp_path: Path) -> None:
    """Looked for while many sudos ask for it, and at one that runs; as root, who sees all processes."""
    remote.server.sudoers(SUDOERS + "Defaults timestamp_timeout=0\n")
    running = asyncio.create_task(
        remote.run(
            "touch ready; while [ -e ready ]; do sudo id -u; done; sudo -k id; env; set; $SUDO_ASKPASS; echo over"
        )
    )
    home, needle = remote.server.path(remote.server.home), remote.server.needle
    try:
        await asyncio.to_thread(wait_until, (home / "ready").exists, "sign of the command")
        for _ in range(5):
            assert places_with(needle, [home, remote.folder, Path("/dev/shm")]) == []
            for path in remote.folder.iterdir():
                mode = path.lstat().st_mode
                assert stat.S_ISFIFO(mode) or stat.S_ISLNK(mode) or path.name in {"askpass", "proven"}
    finally:
        (home / "ready").unlink(missing_ok=True)
    ran = await running
    assert ran.output.endswith("pybridge: the password is for sudo only.\nover\n")
    assert needle not in ran.output
    assert remote.folder.stat().st_mode & 0o777 == 0o700
    # The look itself sees what is there to be seen.
    (tmp_path / "file").write_text(f"x{needle}x")
    with (
        subprocess.Popen(["sleep", "60"], env={"X": needle}) as one,
        subprocess.Popen(["sh", "-c", "sleep 60; :", needle]) as two,
    ):
        try:
            planted = {f"/proc/{one.pid}/environ", f"/proc/{two.pid}/cmdline", str(tmp_path / "file")}
            # A process that has just been started shows its words a moment later.
            wait_until(lambda: planted <= set(places_with(needle, [tmp_path])), "sight of what was planted")
        finally:
            one.kill()
            two.kill()


async def test_without_the_variable_sudo_fails_at_once(openssh_with_sudo: SudoServer) -> None:
    openssh_with_sudo.sudoers(SUDOERS)
    async with remote_on(openssh_with_sudo, None) as remote:
        ran = await remote.run("echo x | sudo -k tee f; echo over; env | grep -c -e ASKPASS -e DISPLAY")
    assert ran.result == CommandResult(1, None)
    assert "sudo: a terminal is required to read the password" in ran.output
    assert ran.output.endswith("over\n0\n")


async def test_a_wrong_password_is_tried_once(openssh_with_sudo: SudoServer) -> None:
    """Not three times by one sudo, not by the others of the same command, and not by those of the next."""
    openssh_with_sudo.sudoers(SUDOERS + f'Defaults timestamp_timeout=0, logfile="{openssh_with_sudo.home}/sudo.log"\n')
    async with remote_on(openssh_with_sudo, WRONG) as remote:
        ran = await remote.run("sudo id & sudo id & sudo id & wait; sudo id")
        assert ran.code == 1
        assert ran.output.count("Sorry, try again.") == 1
        assert "pybridge: sudo has not accepted REMOTE_SUDO_PASSWORD. It is not tried again: correct it" in ran.output
        # not with the "sudo: " before it: several write at once, and each writes that by itself
        assert ran.output.count("1 incorrect password attempt") == 1
        again = await remote.run("sudo id")
        assert again.code == 1
        assert "pybridge: sudo has not accepted REMOTE_SUDO_PASSWORD before." in again.output
        assert "Sorry" not in again.output and WRONG not in ran.output + again.output
    log = openssh_with_sudo.path(f"{openssh_with_sudo.home}/sudo.log").read_text()
    assert log.count("incorrect password attempt") == 1
    openssh_with_sudo.path(f"{openssh_with_sudo.home}/sudo.log").unlink()
    async with remote_on(openssh_with_sudo) as remote:
        assert (await remote.run("sudo id -u")).output == "0\n"


async def test_text_that_holds_the_word_is_left_alone(remote: Remote) -> None:
    text = "echo sudo 'sudo id' \"sudo\"; cat <<X\nsudo id $((1+1))\nX\ntouch sudo; ls sudo; grep -c sudo sudo"
    text += "; type -t sudo"
    assert (await remote.run(text)).output == "sudo sudo id sudo\nsudo id 2\nsudo\n0\nfile\n"
    assert "pybridge" not in (await remote.run('echo "$PATH"')).output
    assert (await remote.run('echo "$pb_pw$pb_d$SUDO_PROMPT[${DISPLAY+set}$DISPLAY]"')).output == "[set]\n"


@pytest.mark.whole
async def test_law7_a_timeout_ends_what_sudo_started(remote: Remote) -> None:
    nap = f"sleep 9{secrets.randbelow(10**8):08d}"
    ran = await remote.run(f"sudo sh -c 'trap \"\" TERM HUP; {nap}; :' & sudo -k {nap}; wait", timeout=4)
    assert ran.result.timed_out
    await asyncio.to_thread(wait_until, lambda: nap not in processes(), "end of what sudo started")
    await asyncio.to_thread(wait_until, remote.is_clean, "clean folder")
    assert (await remote.run("sudo id -u")).output == "0\n"


@pytest.mark.whole
async def test_a_sudo_left_in_the_background_gets_it_and_a_late_one_fails(remote: Remote) -> None:
    """The command has ended before either asks."""
    assert (
        await remote.run("(sudo -k id -u > early) & (sleep 9; sudo -k id > late 2>&1; touch over) & true")
    ).code == 0
    home = remote.server.path(remote.server.home)
    await asyncio.to_thread(wait_until, lambda: (home / "early").read_text() == "0\n", "sudo in the background")
    await asyncio.to_thread(wait_until, (home / "over").exists, "late sudo")
    assert "no password was provided" in (home / "late").read_text()
    assert remote.is_clean()


def processes() -> str:
    return subprocess.run(["ps", "-eo", "stat=,args="], capture_output=True, text=True, check=True).stdout


CLIENT = f"""
import asyncio, sys
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import Command
from pybridge.host.sudo import Sudo
from tests.kit.pools import open_pool

async def main():
    async with open_pool(sys.argv[1]) as pool:
        host = await Host.connect(pool, HostOptions())
        host.offer_sudo(Sudo(sys.stdin.read(), sys.argv[2]))
        await host.run(Command(sys.argv[3], "/home/{USER}"))

asyncio.run(main())
"""


@pytest.mark.whole
async def test_law7_a_lost_client_ends_what_sudo_started(remote: Remote) -> None:
    nap = f"sleep 9{secrets.randbelow(10**8):08d}"
    folder = f"/{remote.folder.relative_to(remote.server.path('/'))}"
    text = f"sudo sh -c 'trap \"\" TERM; {nap}; :'"
    words = [sys.executable, "-c", CLIENT, remote.server.ssh_command, folder, text]
    client = subprocess.Popen(words, stdin=subprocess.PIPE)
    assert client.stdin is not None
    client.stdin.write(remote.server.password.encode())
    client.stdin.close()
    try:
        await asyncio.to_thread(
            wait_until, lambda: any(line.split()[1:] == nap.split() for line in processes().splitlines()), "nap"
        )
    finally:
        client.send_signal(signal.SIGKILL)
        client.wait()
    await asyncio.to_thread(wait_until, lambda: nap not in processes(), "end of what sudo started")
    await asyncio.to_thread(wait_until, remote.is_clean, "clean folder")


@pytest.mark.whole
async def test_dropbear(dropbear_with_sudo: SudoServer) -> None:
    dropbear_with_sudo.sudoers(SUDOERS + "Defaults timestamp_timeout=0\n")
    nap = f"sleep 9{secrets.randbelow(10**8):08d}"
    async with remote_on(dropbear_with_sudo) as remote:
        assert (await remote.run(EACH_WAY)).output == EACH_WAY_SAYS.lstrip()
        other = asyncio.create_task(remote.run("sleep 6; sudo id -u"))
        ran = await remote.run(f"sudo sh -c 'trap \"\" TERM; {nap}; :'", timeout=2)
        assert ran.result.timed_out
        await asyncio.to_thread(wait_until, lambda: nap not in processes(), "end of what sudo started")
        assert (await other).output == "0\n"
        await asyncio.to_thread(wait_until, remote.is_clean, "clean folder")


@pytest.mark.whole
@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/dash", "zsh", "busybox"])
async def test_whichever_shell_runs_the_commands(remote: Remote, shell: str, tmp_path: Path) -> None:
    program = need(shell.rpartition("/")[2])
    if shell == "busybox":
        # As /bin/sh of the whole remote: askpass and feeder are its own then.
        server = SudoServer(tmp_path, setup=f"mount --bind {program} $(readlink -f /bin/sh)")
        with contextlib.closing(_Stopping(server)):
            async with remote_on(server, shell="/bin/sh") as other:
                ran = await other.run(
                    "sudo -k id -u; sudo id -u | sudo cat; printf 'sudo -k id -u\\n' > s; sh s; sudo -n -k id"
                )
                assert ran.output == "0\n0\n0\nsudo: a password is required\n"
        return
    async with remote_on(remote.server, shell=program) as other:
        ran = await other.run("sudo -k id -u; sudo id -u | sudo cat; printf 'sudo -k id -u\\n' > s; sh s")
        assert ran.output == "0\n0\n0\n"


@pytest.mark.whole
async def test_a_temporary_folder_in_which_nothing_may_be_executed(tmp_path: Path) -> None:
    server = SudoServer(tmp_path, setup="mkdir -p /run/scratch; mount -t tmpfs -o noexec,mode=1777 tmpfs /run/scratch")
    with contextlib.closing(_Stopping(server)):
        async with remote_on(server, scratch="/run/scratch") as remote:
            assert (await remote.run("sudo -k id -u; echo a | sudo -k tee f")).output == "0\na\n"
            assert (remote.folder / "noexec").exists()
        async with remote_on(server, WRONG, scratch="/run/scratch") as remote:
            assert "It is not tried again" in (await remote.run("sudo -k id -u")).output


@pytest.mark.whole
async def test_what_sudo_refuses_it_says_itself(remote: Remote) -> None:
    remote.server.sudoers(SUDOERS + "Defaults requiretty\n")
    ran = await remote.run("sudo id")
    assert (ran.code, "you must have a tty to run sudo" in ran.output) == (1, True)
    remote.server.sudoers("root ALL=(ALL:ALL) ALL\n")
    ran = await remote.run("sudo -k id")
    assert (ran.code, "not in the sudoers file" in ran.output) == (1, True)
    remote.server.sudoers(f"root ALL=(ALL:ALL) ALL\n{USER} ALL=(ALL:ALL) NOPASSWD: ALL\n")
    assert (await remote.run("sudo -k -n id -u; sudo id -u")).output == "0\n0\n"
    remote.server.sudoers(SUDOERS + "Defaults targetpw\n")
    assert (await remote.run(f"sudo -k -u {USER} id -u")).output == f"{UID}\n"


@pytest.mark.whole
async def test_where_there_is_no_sudo_nothing_is_made(tmp_path: Path) -> None:
    server = SudoServer(tmp_path, setup="mount --bind /dev/null $(command -v sudo)")
    with contextlib.closing(_Stopping(server)):
        async with remote_on(server) as remote:
            ran = await remote.run("sudo id; echo $?")
            assert ran.output.endswith("126\n") or ran.output.endswith("127\n")
            assert not os.path.lexists(remote.folder)
