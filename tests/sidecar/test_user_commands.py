"""Commands of the user's own through the whole sidecar process: a pretended remote, and a real sshd."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from pybridge import __version__
from tests.kit.sshd import SshServer
from tests.sidecar.kit import FAKE, REAL, Sidecar
from tests.sidecar.test_user_shell import ended, run, start, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and Unix sockets")

Connected = Callable[[], AbstractAsyncContextManager[Sidecar]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a-shell-1"


@asynccontextmanager
async def sidecar(folder: Path, program: list[str] = FAKE, connect: str = "", **env: str) -> AsyncIterator[Sidecar]:
    async with Sidecar(program, {"FAKE_CONNECT": connect}) as running:
        params = {"version": __version__, "env": {"REMOTE_SSH": "x", **env}, "secrets": {}, "shell": str(folder)}
        assert "result" in await running.ask("initialize", params)
        yield running


def processes(word: str) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "stat=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if word in line and not line.startswith("Z")]


class TestPretended:
    async def test_the_shim_is_told_that_commands_run(self, folder: Path) -> None:
        async with sidecar(folder) as running:
            process = start(folder, "-c", "echo")
            told: list[bool] = []
            while told != [True, False]:
                message = await running.receive()
                if message.get("method") == "shell.busy":
                    told.append(message["params"]["busy"])
            assert (await ended(process))[0] == 0
        assert not folder.exists()

    async def test_why_there_is_no_connection(self, folder: Path) -> None:
        async with sidecar(folder, connect="wrong_password"):
            code, stdout, _ = await run(folder, "echo")
            assert (code, stdout.startswith(b"pybridge: attempt 1: the password is wrong")) == (126, True)
            assert b"restart OpenCode" in stdout
            assert (await run(folder, "echo"))[1] == stdout  # nobody logged in again

    async def test_it_waits_for_the_connection_and_can_be_aborted(self, folder: Path) -> None:
        async with sidecar(folder, connect="never") as running:
            one, other = start(folder, "-c", "echo"), start(folder, "-c", "echo")
            while (await running.receive()).get("method") != "shell.busy":
                pass
            await until(lambda: one.poll() is None)
            one.terminate()
            assert await ended(one) == (-signal.SIGTERM, b"", b"")
            assert await running.end() == 0
            # Ended with the sidecar's; one that was not heard yet finds nobody there.
            assert (await ended(other))[0] in (-signal.SIGTERM, 126)

    async def test_a_folder_that_cannot_be_used_stops_nothing_else(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        async with sidecar(tmp_path / "file" / "a-shell-1") as running:
            assert (await running.call())["result"]["output"] == "hello"

    async def test_a_path_too_long_for_a_socket_is_explained(self, tmp_path: Path) -> None:
        folder = tmp_path / ("long" * 30)
        async with sidecar(folder):
            code, stdout, _ = await run(folder, "echo")
            assert (code, b"XDG_RUNTIME_DIR" in stdout) == (126, True)


class TestReal:
    @pytest.fixture
    def work(self, openssh: SshServer) -> Path:
        folder = openssh.home / "user-commands"
        folder.mkdir(exist_ok=True)
        return folder

    @pytest.fixture
    def connected(self, openssh: SshServer, folder: Path, work: Path) -> Connected:
        return lambda: sidecar(folder, REAL, REMOTE_SSH=openssh.ssh_command, REMOTE_WORKDIR=str(work))

    async def test_streams_codes_signals_and_folder(self, connected: Connected, folder: Path, work: Path) -> None:
        async with connected():
            script = 'pwd; cat; echo error >&2; [ -n "$SSH_CONNECTION" ] && exit 7'
            assert await run(folder, script) == (7, f"{work}\n".encode(), b"error\n")
            assert (await run(folder, "kill -9 $$"))[0] == -signal.SIGKILL
            assert (await run(folder, "exit 0"))[0] == 0

    async def test_bytes_are_bytes(self, connected: Connected, folder: Path) -> None:
        async with connected():
            code, stdout, _ = await run(
                folder, "i=0; while [ $i -lt 3 ]; do seq 1000000; i=$((i+1)); done; printf '\\377\\000'"
            )
            expected = "".join(f"{i}\n" for i in range(1, 1000001)).encode() * 3 + b"\xff\x00"
            assert (code, hashlib.sha256(stdout).digest()) == (0, hashlib.sha256(expected).digest())

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
    async def test_its_end_ends_the_remote_tree_and_no_other(
        self, connected: Connected, folder: Path, number: int
    ) -> None:
        naps = [f"sleep {random.randrange(10**6, 10**8)}" for _ in range(3)]
        async with connected():
            one = start(folder, "-c", f"{naps[0]} & (trap '' TERM; {naps[1]}; true); echo after")
            other = start(folder, "-c", f"{naps[2]}; true")
            await until(lambda: all(processes(nap) for nap in naps))
            one.send_signal(number)
            assert await ended(one) == (-number, b"", b"")
            await until(lambda: not processes(naps[0]) and not processes(naps[1]))
            assert processes(naps[2])
            assert other.poll() is None
        assert (await ended(other))[0] == -signal.SIGTERM
        assert not processes(naps[2])

    async def test_a_folder_that_is_not_there(
        self, openssh: SshServer, folder: Path, tmp_path: Path, work: Path
    ) -> None:
        anchor = tmp_path / "anchor"
        (anchor / "only-here").mkdir(parents=True)
        env = {"REMOTE_SSH": openssh.ssh_command, "REMOTE_WORKDIR": str(work), "REMOTE_ANCHOR": str(anchor)}
        async with sidecar(folder, REAL, **env):
            code, stdout, _ = await ended(start(folder, "-c", f"touch {tmp_path}/canary", cwd=anchor / "only-here"))
            assert (code, f"{work}/only-here does not exist" in stdout.decode()) == (126, True)
            assert not (tmp_path / "canary").exists()
            assert await ended(start(folder, "-c", "pwd", cwd=anchor)) == (0, f"{work}\n".encode(), b"")

    async def test_memory_stays_bounded_while_nobody_reads(self, connected: Connected, folder: Path) -> None:
        async with connected() as running:
            await run(folder, "true")
            process = start(folder, "-c", "head -c 300000000 /dev/zero")
            await asyncio.sleep(3)
            assert process.poll() is None
            status = Path(f"/proc/{running.process.pid}/status")
            if os.access(status, os.R_OK):
                held = next(
                    int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")
                )
                assert held < 120_000  # KiB
            code, stdout, _ = await ended(process)
            assert (code, len(stdout)) == (0, 300000000)
