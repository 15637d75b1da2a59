"""The FIFO with the secrets: who can read it, how long it lives, and what becomes of it when nobody does."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pybridge.cli.launch import start
from pybridge.cli.opencode import handover
from pybridge.cli.opencode.plan import Plan
from pybridge.errors import LocalStorageError, OpenCodeError
from pybridge.settings import Settings
from pybridge.transport.carriers import find_route

pytestmark = [pytest.mark.unit, pytest.mark.skipif(sys.platform == "win32", reason="there are no FIFOs")]

SECRETS = {"REMOTE_PASSWORD": "hush one", "REMOTE_SUDO_PASSWORD": "hush-zwö", "REMOTE_KEY_PASSPHRASE": "'hush\"3\\"}

BECOME_SH = """\
import os, sys
from pybridge.cli.opencode.handover import hand_over
os.execve("/bin/sh", ["sh", "-c", sys.argv[1]], hand_over(os.environ))
"""

# As npm's script starts OpenCode: the child gets standard input and outputs, and no other descriptor.
THROUGH_A_WRAPPER = f"""\
{sys.executable} -c '
import os, subprocess
subprocess.run(["head", "-n1", os.environ["{handover.VARIABLE}"]], close_fds=True, check=True)'; :
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder, here and in programs started."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "pybridge"


def become(script: str, **env: str) -> subprocess.Popen[str]:
    """A process that hands over and becomes a shell with `script`."""
    variables = {**os.environ, **env}
    words = [sys.executable, "-c", BECOME_SH, script]
    return subprocess.Popen(words, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(script: str, **env: str) -> str:
    """What it wrote."""
    with become(script, **env) as process:
        output = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    return output


def leave(folder: Path, name: str = "left") -> Path:
    """An old FIFO that nobody has open."""
    folder.mkdir(parents=True, exist_ok=True)
    os.mkfifo(folder / name, 0o600)
    os.utime(folder / name, (1, 1))
    return folder / name


@pytest.mark.parametrize("script", ['head -n1 "$PYBRIDGE_SECRETS"', THROUGH_A_WRAPPER])
def test_what_this_process_becomes_can_read_them(script: str) -> None:
    assert json.loads(said(script, **SECRETS)) == SECRETS


def test_the_environment_has_only_the_path(state: Path) -> None:
    variables = said("env; tr '\\0' '\\n' < /proc/$$/environ 2>/dev/null; :", **SECRETS, PYBRIDGE_SECRETS="/of/another")
    assert "hush" not in variables
    assert not [line for line in variables.splitlines() if line.partition("=")[0] in SECRETS]
    assert f"{handover.VARIABLE}={state / handover.FOLDER}/secrets-" in variables
    assert "/of/another" not in variables


def test_it_is_a_fifo_of_this_user_alone(state: Path) -> None:
    said(":", REMOTE_PASSWORD="hush")
    [path] = (state / handover.FOLDER).iterdir()
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_without_secrets_there_is_none(state: Path) -> None:
    assert handover.VARIABLE not in said("env", REMOTE_PASSWORD="", PYBRIDGE_SECRETS="/of/another")
    assert not state.exists()


def test_on_windows_the_environment_keeps_them(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    monkeypatch.setattr(handover.os, "name", "nt")
    given = {**SECRETS, "OTHER": "x"}
    assert handover.hand_over({**given, handover.VARIABLE: "/of/another"}) == given
    assert handover.abandoned() == []
    monkeypatch.undo()
    assert not state.exists()


def test_more_than_a_pipe_holds_is_refused(state: Path) -> None:
    with pytest.raises(LocalStorageError, match="cannot be handed over.*too long"):
        handover.hand_over({"REMOTE_PASSWORD": "hush" * 300_000})
    assert list((state / handover.FOLDER).iterdir()) == []


def test_a_folder_without_fifos_is_named(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")  # as vfat answers

    monkeypatch.setattr(os, "mkfifo", refuse)
    with pytest.raises(LocalStorageError, match=f"{state}.*Operation not permitted"):
        handover.hand_over(SECRETS)


def test_a_program_that_does_not_start_leaves_none(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    route = find_route(Settings(ssh="someone@somewhere"))
    plan = Plan(tmp_path / "gone", (), tmp_path, {}, {}, "somewhere", route, ())
    with pytest.raises(OpenCodeError, match="cannot be started"):
        start(plan, SECRETS)
    assert list((state / handover.FOLDER).iterdir()) == []


class TestAbandoned:
    """FIFOs whose OpenCode never loaded the plugin."""

    def test_an_old_one_nobody_has_open_is_removed(self, state: Path) -> None:
        left = leave(state / handover.FOLDER)
        assert handover.abandoned() == [left]
        handover.remove_abandoned()
        assert not left.exists()

    def test_one_that_is_held_open_stays_however_old(self, state: Path) -> None:
        with become("echo ready; read answer; head -n1 $PYBRIDGE_SECRETS", **SECRETS) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            [path] = (state / handover.FOLDER).iterdir()
            os.utime(path, (1, 1))
            assert handover.abandoned() == []
            assert json.loads(process.communicate("go\n", timeout=30)[0]) == SECRETS  # looking took nothing out
        os.utime(path, (1, 1))
        assert handover.abandoned() == [path]

    def test_a_young_one_may_not_be_open_yet(self, state: Path) -> None:
        left = leave(state / handover.FOLDER)
        os.utime(left)
        assert handover.abandoned() == []

    def test_what_is_no_fifo_is_not_ours(self, state: Path) -> None:
        file = leave(state / handover.FOLDER).with_name("file")
        file.write_text("x")
        os.utime(file, (1, 1))
        assert file not in handover.abandoned()

    def test_without_the_folder_there_are_none(self) -> None:
        assert handover.abandoned() == []
