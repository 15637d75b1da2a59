"""Commands of the user's own: the server in the sidecar, and the shell OpenCode starts, as real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from pybridge.sidecar import user_shell, user_shell_client
from pybridge.sidecar.user_shell import ADDRESS, REFUSAL, Send, UserShell
from pybridge.sidecar.user_shell_client import FOLDER, GREETING, LOST, MERGED, REFUSED

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and Unix sockets")

SECONDS = 60.0
CLIENT = str(Path(user_shell_client.__file__))
BOTH = pytest.mark.parametrize("tcp", [False, True], ids=["unix", "tcp"])


class Remote:
    """A pretended remote: what a command does is a method's name."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.sent = 0
        self.ended: list[str] = []
        self.begun = asyncio.Event()

    async def run(self, text: str, folder: str, abort: asyncio.Event, send: Send) -> tuple[bytes, str]:
        self.asked.append((text, folder))
        if text == "wait":
            await send(1, b"begun\n")
            self.begun.set()
            await abort.wait()
            await send(1, b"last words\n")
            self.ended.append(text)
            return b"s", "TERM"
        if text == "flood":
            while not abort.is_set():
                await send(1, b"x" * 65536)
                self.sent += 65536
            return b"s", "TERM"
        if text == "bug":
            raise KeyError(text)
        if text.startswith(("x", "s", "!")):
            return text[:1].encode(), text[1:]
        await send(1, b"\xff\x00out")
        await send(2, b"err\xfe")
        return b"x", "0"


@asynccontextmanager
async def listening(folder: Path, *, tcp: bool = False) -> AsyncIterator[tuple[UserShell, Remote]]:
    remote = Remote()
    busy: list[bool] = []
    shell = UserShell(remote.run, busy.append)
    await shell.listen(folder, tcp=tcp)
    yield shell, remote
    await shell.finish(SECONDS)
    assert busy in ([], [True, False] * (len(busy) // 2))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a-shell-1"


def start(folder: Path, *arguments: str, cwd: Path | None = None, merged: bool = False) -> subprocess.Popen[bytes]:
    """The shell, as OpenCode starts it."""
    environment = {**os.environ, FOLDER: str(folder), **({MERGED: "1"} if merged else {})}
    command = [sys.executable, "-I", "-S", CLIENT, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)


async def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    stdout, stderr = await asyncio.to_thread(process.communicate, timeout=SECONDS)
    return process.returncode, stdout, stderr


async def run(folder: Path, text: str, *, merged: bool = False) -> tuple[int, bytes, bytes]:
    return await ended(start(folder, "-c", text, merged=merged))


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not look():
            await asyncio.sleep(0.05)


@BOTH
async def test_output_is_passed_on_byte_for_byte(folder: Path, tmp_path: Path, tcp: bool) -> None:
    async with listening(folder, tcp=tcp) as (_, remote):
        text = 'it\'s "one" $HOME\n\\ two \udcff é'
        process = start(folder, "-c", text, cwd=tmp_path)
        assert await ended(process) == (0, b"\xff\x00out", b"err\xfe")
        assert remote.asked == [(text, str(tmp_path))]


async def test_both_streams_in_one_keep_their_order(folder: Path) -> None:
    async with listening(folder):
        assert await run(folder, "echo", merged=True) == (0, b"\xff\x00outerr\xfe", b"")


@pytest.mark.parametrize(
    ("answer", "code"),
    [("x0", 0), ("x3", 3), ("x255", 255), ("sKILL", -9), ("sTERM", -15), ("sSEGV", -11), ("sNOSUCH", REFUSED)],
)
async def test_it_ends_as_the_command_did(folder: Path, answer: str, code: int) -> None:
    async with listening(folder):
        assert (await run(folder, answer))[0] == code


async def test_a_reason_is_shown_where_a_template_shows_it(folder: Path) -> None:
    async with listening(folder):
        assert await run(folder, "!No é.") == (REFUSED, "pybridge: No é.\n".encode(), b"")


async def test_a_fault_of_ours_ends_the_command_only(folder: Path) -> None:
    async with listening(folder):
        code, stdout, _ = await run(folder, "bug")
        assert (code, b"not known" in stdout) == (LOST, True)
        assert (await run(folder, "x0"))[0] == 0


@BOTH
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_an_abort_reaches_the_remote_and_its_last_words_arrive(folder: Path, number: int, tcp: bool) -> None:
    async with listening(folder, tcp=tcp) as (_, remote):
        process = start(folder, "-c", "wait")
        async with asyncio.timeout(SECONDS):
            await remote.begun.wait()
        process.send_signal(number)
        assert await ended(process) == (-signal.SIGTERM, b"begun\nlast words\n", b"")


async def test_a_killed_shell_ends_its_command_and_no_other(folder: Path) -> None:
    async with listening(folder) as (_, remote):
        one, other = start(folder, "-c", "wait"), start(folder, "-c", "wait")
        await until(lambda: len(remote.asked) == 2)
        one.kill()
        await ended(one)
        await until(lambda: remote.ended == ["wait"])
        other.terminate()
        assert (await ended(other))[1] == b"begun\nlast words\n"


async def test_a_shell_nobody_reads_holds_up_the_remote(folder: Path) -> None:
    async with listening(folder) as (_, remote):
        process = start(folder, "-c", "flood")
        await until(lambda: remote.sent > 0)
        before = -1
        while remote.sent != before:
            before = remote.sent
            await asyncio.sleep(1.0)
        assert remote.sent < 8 * 1024 * 1024
        process.kill()
        await ended(process)


async def test_the_end_of_the_sidecar_ends_commands_and_leaves_nothing(folder: Path) -> None:
    async with listening(folder) as (shell, remote):
        process = start(folder, "-c", "wait")
        async with asyncio.timeout(SECONDS):
            await remote.begun.wait()
        await shell.finish(SECONDS)
        assert await ended(process) == (-signal.SIGTERM, b"begun\nlast words\n", b"")
        assert not folder.exists()


async def test_only_this_user_can_connect(folder: Path) -> None:
    async with listening(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        assert len(list(folder.iterdir())) == 2


async def test_a_peer_of_another_user_is_sent_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(socket, "SO_PEERCRED"):
        pytest.skip("the system does not tell who a peer is")
    async with listening(folder) as (_, remote):
        user = os.geteuid()
        monkeypatch.setattr(user_shell.os, "geteuid", lambda: user + 1)
        assert (await run(folder, "x0"))[0] == LOST
        monkeypatch.undo()
        assert remote.asked == []


@BOTH
@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        GREETING + struct.pack("!I", 5) + b"wrong" + (struct.pack("!I", 2) + b"x0") * 2,
        GREETING + struct.pack("!I", 2**31),
        GREETING[:5],
    ],
    ids=["greeting", "token", "length", "short"],
)
async def test_who_does_not_know_the_protocol_is_not_answered(folder: Path, request_bytes: bytes, tcp: bool) -> None:
    async with listening(folder, tcp=tcp) as (_, remote):
        kind, place, *_ = (folder / ADDRESS).read_text().split("\n")
        if kind == "unix":
            reader, writer = await asyncio.open_unix_connection(place)
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(place))
        writer.write(request_bytes)
        writer.write_eof()
        async with asyncio.timeout(SECONDS):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
        assert remote.asked == []


class TestRefusals:
    """Nothing is run, and the reason is shown."""

    async def refused(self, process: subprocess.Popen[bytes]) -> str:
        code, stdout, stderr = await ended(process)
        assert (code, stderr) == (REFUSED, b"")
        assert stdout.startswith(b"pybridge: Not run: ")
        return stdout.decode()

    async def test_no_folder(self, tmp_path: Path) -> None:
        assert "is not running" in await self.refused(start(tmp_path / "none", "-c", f"touch {tmp_path}/canary"))
        assert not (tmp_path / "canary").exists()

    async def test_a_sidecar_that_was_killed(self, folder: Path) -> None:
        async with listening(folder):
            left = (folder / ADDRESS).read_bytes()
        folder.mkdir()
        (folder / ADDRESS).write_bytes(left)
        assert "has ended" in await self.refused(start(folder, "-c", "x0"))

    async def test_a_sidecar_that_could_not_be_started(self, folder: Path) -> None:
        folder.mkdir()
        (folder / REFUSAL).write_text("No Python.")
        assert "No Python." in await self.refused(start(folder, "-c", "x0"))

    @pytest.mark.parametrize("arguments", [(), ("-l",), ("-c",), ("-i", "-c", "x0"), ("-c", "x0", "more")])
    async def test_a_terminal(self, folder: Path, arguments: tuple[str, ...]) -> None:
        async with listening(folder) as (_, remote):
            assert "terminal" in await self.refused(start(folder, *arguments))
            assert remote.asked == []


async def test_a_sidecar_that_is_being_started_is_waited_for(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    process = start(folder, "-c", "x7")
    await asyncio.sleep(0.5)
    assert process.poll() is None
    async with listening(folder):
        assert (await ended(process))[0] == 7


class TestAbandoned:
    """Folders of OpenCode processes that were killed with their sidecars."""

    def old(self, folder: Path) -> Path:
        os.utime(folder, (1, 1))
        return folder

    async def test_they_are_removed_and_others_are_not(self, tmp_path: Path) -> None:
        async with listening(tmp_path / "a-shell-1") as (_, _):
            used = self.old(tmp_path / "a-shell-1")
            dead = tmp_path / "a-shell-2"
            dead.mkdir()
            (dead / ADDRESS).write_text(f"unix\n{dead}/gone\ntoken\n")
            self.old(dead)
            empty = self.old(_made(tmp_path / "a-shell-3"))
            young = _made(tmp_path / "a-shell-4")
            foreign = self.old(_made(tmp_path / "other-4"))
            async with listening(tmp_path / "a-shell-5"):
                assert [p.exists() for p in (used, dead, empty, young, foreign)] == [True, False, False, True, True]

    async def test_a_sidecar_that_ends_late_leaves_its_successor_alone(self, folder: Path) -> None:
        first = UserShell(Remote().run, lambda busy: None)
        await first.listen(folder)
        async with listening(folder):
            await first.finish(SECONDS)
            assert (await run(folder, "x5"))[0] == 5


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
