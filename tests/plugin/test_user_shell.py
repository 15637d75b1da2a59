"""The shell the plugin gives OpenCode for commands that are not the model's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.kit import FAKE_SIDECAR, PLUGIN, Plugin, program

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="runs the POSIX one")

AS_SHELL = f'case "$*" in *user_shell_client*) exec "{sys.executable}" "$@" ;; esac'
"""Lines of a stand-in for Python: it is the real one where it runs the shell."""


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An "interpreter" that runs the shell as it is, and the sidecar with a pretended remote."""
    return program(tmp_path, f'{AS_SHELL}\nexec "{sys.executable}" "{FAKE_SIDECAR}"\n')


async def shell_of(plugin: Plugin, name: str = "a", **config: Any) -> Path:
    return Path((await plugin.do("config", name=name, config=config))["shell"])


async def run(plugin: Plugin, shell: Path, command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Start the shell as OpenCode does."""
    environment = await plugin.do("env")
    return subprocess.run(
        [shell, "-c", command], env=environment, cwd=folder, capture_output=True, text=True, timeout=60
    )


async def test_a_command_goes_to_the_sidecar(python: Path, tmp_path: Path) -> None:
    async with Plugin(python) as plugin:
        await plugin.load()
        ran = await run(plugin, await shell_of(plugin, shell="/bin/bash"), "touch canary", tmp_path)
        assert (ran.returncode, ran.stdout) == (0, f"touch canary in {tmp_path}\n")
        assert not (tmp_path / "canary").exists()


async def test_the_file_is_private_lasts_and_is_shared(python: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with Plugin(python, env={"XDG_STATE_HOME": str(state)}) as plugin:
        await plugin.load("a")
        await plugin.load("b")
        shell = await shell_of(plugin, "a")
        assert shell == await shell_of(plugin, "b")
        assert shell.parent == state / "pybridge" / "shells"
        assert shell.stat().st_mode & 0o777 == 0o700
        shell.write_text('#!/bin/sh\nexec sh "$@"\n')
        assert await shell_of(plugin) == shell
        assert "canary in" in (await run(plugin, shell, "touch canary", tmp_path)).stdout
        for name in "ab":
            await plugin.do("dispose", name=name)
        # It must be there for as long as OpenCode runs, which would else take its own shell, on this machine.
        ran = await run(plugin, shell, "touch canary", tmp_path)
        assert (ran.returncode, ran.stdout.startswith("pybridge: Not run: ")) == (126, True)
        assert not (tmp_path / "canary").exists()
        assert not Path((await plugin.do("env"))["PYBRIDGE_SHELL_FOLDER"]).exists()


async def test_a_sidecar_that_died_is_started_again_first(python: Path, tmp_path: Path) -> None:
    async with Plugin(python) as plugin:
        await plugin.load()
        shell = await shell_of(plugin)
        assert "no such" not in (await run(plugin, shell, "one", tmp_path)).stdout
        assert "failure" in await plugin.call("die")
        assert "has ended" in (await run(plugin, shell, "two", tmp_path)).stdout
        assert (await plugin.do("shell_env", name="a"))["PYBRIDGE_SHELL_MERGED"] == "1"
        assert (await run(plugin, shell, "three", tmp_path)).stdout == f"three in {tmp_path}\n"


async def test_a_sidecar_whose_end_is_not_known_yet_is_started_again_first(python: Path, tmp_path: Path) -> None:
    async with Plugin(python) as plugin:
        await plugin.load()
        shell = await shell_of(plugin)
        pid = (await plugin.call("settings"))["result"]["metadata"]["pid"]
        await plugin.do("shell_env", name="a", kill=pid)
        assert (await run(plugin, shell, "one", tmp_path)).stdout == f"one in {tmp_path}\n"


async def test_a_sidecar_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    broken = program(tmp_path, f"{AS_SHELL}\necho broken >&2; exit 3\n")
    async with Plugin(broken) as plugin:
        await plugin.load()
        ran = await run(plugin, await shell_of(plugin), "touch canary", tmp_path)
        assert ran.returncode == 126
        assert "exit code 3" in ran.stdout
        assert not (tmp_path / "canary").exists()


async def test_a_python_that_is_gone_says_so(tmp_path: Path) -> None:
    async with Plugin(tmp_path / "gone") as plugin:
        await plugin.load()
        ran = await run(plugin, await shell_of(plugin), "touch canary", tmp_path)
        assert (ran.returncode, f"{tmp_path}/gone" in ran.stdout) == (126, True)
        assert not (tmp_path / "canary").exists()


async def test_a_folder_that_does_not_stand_for_the_remote_says_so(python: Path, tmp_path: Path) -> None:
    anchor = tmp_path / "it's the anchor"
    anchor.mkdir()
    async with Plugin(python, env={"REMOTE_ANCHOR": str(anchor)}) as plugin:
        await plugin.load("a", anchor)
        await plugin.load("b", tmp_path)
        ran = await run(plugin, await shell_of(plugin, "b"), "touch canary", tmp_path)
        assert ran.returncode == 126
        assert f"only the folder {anchor} stands" in ran.stdout
        assert not (tmp_path / "canary").exists()
        assert "canary in" in (await run(plugin, await shell_of(plugin, "a"), "touch canary", tmp_path)).stdout


@pytest.mark.parametrize("held", ["/bin/bash", "/state/pybridge-no-local-shell"])
async def test_without_a_place_for_the_file_nothing_can_be_run(python: Path, tmp_path: Path, held: str) -> None:
    (tmp_path / "state").write_text("a file")
    async with Plugin(python, env={"XDG_STATE_HOME": str(tmp_path / "state")}) as plugin:
        await plugin.load()
        shell = await shell_of(plugin, shell=held)
        if held == "/bin/bash":
            assert shell.is_file()  # or OpenCode would take its own
            assert shell.parent == PLUGIN
            assert not os.access(shell, os.X_OK)
        else:
            assert str(shell) == held


async def test_two_opencodes_do_not_meet(python: Path, tmp_path: Path) -> None:
    async with Plugin(python) as one, Plugin(python, env={"REMOTE_SSH": "other.example"}) as other:
        await one.load()
        await other.load()
        folders = {(await plugin.do("env"))["PYBRIDGE_SHELL_FOLDER"] for plugin in (one, other)}
        assert len(folders) == 2
        assert "x in" in (await run(one, await shell_of(one), "x", tmp_path)).stdout
        await one.do("dispose", name="a")
        assert "x in" in (await run(other, await shell_of(other), "x", tmp_path)).stdout


async def test_a_plugin_that_fails_to_load_leaves_no_shell(tmp_path: Path) -> None:
    entry = tmp_path / "plugin" / "index.js"
    entry.parent.mkdir()
    entry.write_bytes((PLUGIN / "index.js").read_bytes())
    (entry.parent / "package.json").write_text('{"type": "module"}')
    async with Plugin(index=entry) as plugin:
        await plugin.load()
        assert await shell_of(plugin, shell="/bin/bash") == entry
        assert await shell_of(plugin, shell="/state/pybridge-no-local-shell") == Path("/state/pybridge-no-local-shell")
