"""The launcher files: the shell one for real, the Windows ones by what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pybridge.cli.package_files import launcher
from pybridge.settings import VARIABLES
from tests.kit.counterparts import need

pytestmark = pytest.mark.unit
posix = pytest.mark.skipif(sys.platform == "win32", reason="runs the POSIX launcher")

NAMES = ("remote-opencode.sh", "remote-opencode.ps1", "remote-opencode.bat")
SHOW = '#!/bin/sh\nprintf \'<%s>\' "$0" "$@"; echo; env | grep ^REMOTE_ | sort\nexit 9\n'


def program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def run(tmp_path: Path, *arguments: str, script: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the launcher with only `tmp_path`/bin and sh's own commands on PATH."""
    tools = tmp_path / "bin"
    for name in ("env", "grep", "sort"):
        (tools / name).symlink_to(need(name))
    return subprocess.run(
        ["/bin/sh", script or launcher(NAMES[0]), *arguments],
        env={"PATH": str(tools), **env},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


@pytest.fixture(autouse=True)
def tools(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


@posix
def test_it_hands_every_argument_and_variable_on(tmp_path: Path, tools: Path) -> None:
    """D4: overridable from the environment."""
    pybridge = program(tools, "pybridge", SHOW)
    ssh = "me@host -o 'ProxyCommand=x \"y  z\"' $HOME *"
    ran = run(tmp_path, "run", "two  words", "*", "", REMOTE_SSH=ssh, REMOTE_POOL_FILE_SIZE="7")
    first, *variables = ran.stdout.splitlines()
    assert first == f"<{pybridge}><launch><--><run><two  words><*><>"
    assert f"REMOTE_SSH={ssh}" in variables
    assert "REMOTE_POOL_FILE_SIZE=7" in variables
    assert "REMOTE_POOL_COMMAND_SIZE=3" in variables
    assert ran.returncode == 9


@posix
def test_its_own_block_holds_where_the_environment_says_nothing(tmp_path: Path, tools: Path) -> None:
    program(tools, "pybridge", SHOW)
    text = launcher(NAMES[0]).read_text(encoding="utf-8")
    filled = text.replace("REMOTE_SSH=''", "REMOTE_SSH='-p 2222 me@block'").replace(
        "WORKDIR=''", "WORKDIR='~/in block'"
    )
    script = program(tmp_path, "filled.sh", filled)
    ran = run(tmp_path, script=script, REMOTE_WORKDIR="/from/environment", REMOTE_SSH="")
    assert "REMOTE_SSH=-p 2222 me@block" in ran.stdout
    assert "REMOTE_WORKDIR=/from/environment" in ran.stdout


@posix
def test_without_the_command_the_module_is_used(tmp_path: Path, tools: Path) -> None:
    # A wrapper, not a link: an interpreter started by a link forgets its virtual environment.
    program(tools, "python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    ran = run(tmp_path, HOME=str(tmp_path))
    assert ran.returncode == 1
    assert "REMOTE_SSH is not set" in ran.stderr


@posix
def test_a_folder_named_like_the_package_is_not_run(tmp_path: Path, tools: Path) -> None:
    program(tools, "python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "pybridge" / "cli").mkdir(parents=True)
    for name in ("__init__.py", "__main__.py", "cli/__init__.py"):
        (tmp_path / "pybridge" / name).write_text("raise SystemExit('hijacked')\n")
    assert "hijacked" not in run(tmp_path, HOME=str(tmp_path)).stderr


@posix
@pytest.mark.parametrize("python3", [None, "#!/bin/sh\nexit 1\n"])
def test_without_pybridge_it_says_how_to_get_it(tmp_path: Path, tools: Path, python3: str | None) -> None:
    if python3:
        program(tools, "python3", python3)
    ran = run(tmp_path)
    assert ran.returncode == 127
    assert "pipx install ." in ran.stderr


@pytest.mark.parametrize("name", NAMES)
def test_each_has_the_same_block_and_call(name: str) -> None:
    """D3, D4: the block, the search, the call, and nothing else."""
    text = launcher(name).read_bytes().decode("ascii")
    block = text.split("User Configuration", 1)[1].split("----\n" if name != NAMES[2] else "----\r\n", 2)[1]
    assert re.findall(r"(?:set \"|env:|\|\| )(\w+) ?=", block) == [
        v.name for v in VARIABLES if v.name.startswith(("REMOTE_SSH", "REMOTE_WORK", "REMOTE_POOL")) or v.secret
    ]
    assert re.search(r"pybridge launch '?--'? ", text)
    assert re.search(r"-P -m pybridge launch '?--'? ", text)
    assert "--remote" not in text


def test_the_batch_file_has_the_line_ends_cmd_needs() -> None:
    data = launcher(NAMES[2]).read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n")


@posix
def test_the_shell_launcher_can_be_run() -> None:
    assert launcher(NAMES[0]).stat().st_mode & 0o111
    if shellcheck := shutil.which("shellcheck"):
        subprocess.run([shellcheck, launcher(NAMES[0])], check=True)
