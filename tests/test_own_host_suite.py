"""The suite for a host of one's own, run as a user would: with a `.env.test` (row D30)."""

from __future__ import annotations

import asyncio
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.sudo_server import SudoServer

ROOT = Path(__file__).parents[1]
TESTS = 11


def run_suite(env_file: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYBRIDGE_ENV_TEST": str(env_file)}
    words = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "tests/own_host"]
    return subprocess.run(words, env=environment, capture_output=True, text=True, cwd=ROOT, check=False, timeout=280)


def env_file(folder: Path, **variables: str) -> Path:
    path = folder / ".env.test"
    path.write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items()))
    return path


Snapshot = dict[str, tuple[int, int, int, float, bytes]]


def snapshot(*folders: Path) -> Snapshot:
    """Everything below some folders: type and mode, owner, size, time of change, and content."""
    found: Snapshot = {}
    for folder in folders:
        for place, folders_there, files in os.walk(folder):
            for name in (*folders_there, *files):
                path = Path(place, name)
                about = path.lstat()
                content = path.read_bytes() if stat.S_ISREG(about.st_mode) else b""
                found[str(path)] = (about.st_mode, about.st_uid, about.st_size, about.st_mtime, content)
    return found


@pytest.mark.parametrize(
    "kind", ["openssh", pytest.param("dropbear", marks=pytest.mark.whole)], ids=["openssh", "dropbear"]
)
def test_D30_the_suite_passes_on_the_host_of_env_test_and_leaves_it_as_it_was(kind: str, tmp_path: Path) -> None:
    """Its home folder and its temporary folders: no file more, none less, none changed."""
    (tmp_path / "server").mkdir()
    server = SudoServer(
        tmp_path / "server", kind, setup="for t in /tmp /var/tmp; do mount -t tmpfs -o mode=1777 t $t; done"
    )
    try:
        home = server.path(server.home)
        (home / "mine").mkdir()
        (home / "mine" / "file").write_text("mine")
        server.path("/tmp/theirs").write_text("theirs")
        looked_at = (server.path("/home"), server.path("/tmp"), server.path("/var/tmp"))
        before = snapshot(*looked_at)
        assert len(before) > 5
        done = run_suite(
            env_file(
                tmp_path,
                REMOTE_SSH=server.ssh_command,
                REMOTE_WORKDIR="~/not there yet/at all",
                REMOTE_SUDO_PASSWORD=server.password,
            )
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{TESTS} passed" in done.stdout
        after = snapshot(*looked_at)
        # The home folder's own time tells that something was made in it, and removed.
        assert {k: v for k, v in after.items() if k != str(home)} == {k: v for k, v in before.items() if k != str(home)}
    finally:
        server.stop()


def test_D30_a_file_without_REMOTE_SSH_fails_at_once_and_says_so(tmp_path: Path) -> None:
    done = run_suite(env_file(tmp_path, REMOTE_WORKDIR="/tmp"))
    assert done.returncode == 1
    assert "does not set REMOTE_SSH" in done.stdout


@pytest.mark.whole
def test_D30_without_the_file_it_is_skipped_with_the_reason(tmp_path: Path) -> None:
    done = run_suite(tmp_path / "none")
    assert done.returncode == 0
    assert "no .env.test" in done.stdout


async def test_D30_a_wrong_password_fails_at_once_says_so_and_is_tried_once(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path, password="right-one") as server:
        file = env_file(tmp_path, REMOTE_SSH=server.ssh_command(), REMOTE_PASSWORD="wrong-one", REMOTE_WORKDIR="/tmp")
        done = await asyncio.to_thread(run_suite, file)
    assert done.returncode == 1
    assert f"{TESTS} errors" in done.stdout
    assert "The host of .env.test cannot be used: " in done.stdout
    assert server.passwords == ["wrong-one"]
    assert "wrong-one" not in done.stdout + done.stderr


@pytest.mark.whole
def test_D30_a_host_that_is_not_there_fails_at_once_and_says_so(tmp_path: Path) -> None:
    done = run_suite(env_file(tmp_path, REMOTE_SSH="-F none -p 1 nobody@127.0.0.1", REMOTE_WORKDIR="/tmp"))
    assert done.returncode == 1
    assert "The host of .env.test cannot be used: " in done.stdout
    assert "Traceback" not in done.stdout
