"""The wheel: complete, installable into an empty environment and home, and gone without a trace."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.cli.conftest import Command
from tests.kit.counterparts import missing, need

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ".config/opencode/plugins/pybridge.js"


def build(source: Path, target: Path) -> Path:
    """Build the wheel of a source folder without the network; hatchling comes with the development extras."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(target)]
    made = subprocess.run([*pip, "wheel", *options, str(source)], capture_output=True, text=True, timeout=110)
    assert made.returncode == 0, made.stdout + made.stderr
    [wheel] = target.glob("*.whl")
    return wheel


def checkout(folder: Path, revision: str) -> Path:
    """The files of a revision."""
    git = need("git")
    got = subprocess.run([git, "-C", ROOT, "archive", "--format=tar", revision], capture_output=True, timeout=60)
    if got.returncode != 0:
        missing(f"the revision {revision} (a clone without history?)")
    with tarfile.open(fileobj=io.BytesIO(got.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the working tree."""
    source = tmp_path_factory.mktemp("source") / "pybridge"
    ignored = shutil.ignore_patterns(".git", ".venv*", "__pycache__", ".pytest_cache", "dist", "node_modules")
    shutil.copytree(ROOT, source, ignore=ignored)
    return build(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def installed(tmp_path: Path) -> Command:
    """The command of an empty environment and an empty home; `install` puts a wheel there.

    Third-party packages come from the environment the tests run in. Its own pybridge is not seen: that one is known
    there by a .pth file, and those are not read from PYTHONPATH.
    """
    venv.create(tmp_path / "venv", with_pip=False, symlinks=sys.platform != "win32")
    folder = "Scripts" if sys.platform == "win32" else "bin"
    home = tmp_path / "home"
    home.mkdir()
    environment = {"PYTHONPATH": sysconfig.get_path("purelib"), "PYTHONDONTWRITEBYTECODE": "1"}
    return Command(home, environment, str(tmp_path / "venv" / folder / "python"))


def install(command: Command, wheel: Path) -> None:
    """`pip install` into the command's environment."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", command.python]
    options = ["--no-deps", "--no-index", "--force-reinstall", "--no-compile"]
    subprocess.run([*pip, "install", *options, str(wheel)], check=True, capture_output=True, timeout=110)


def test_the_wheel_has_shim_and_launchers(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, inside in (("plugin", "pybridge/_plugin"), ("launchers", "pybridge/_launchers")):
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        assert files
        assert {f"{inside}/{path.relative_to(ROOT / folder).as_posix()}" for path in files} <= names
    scripts = {path.relative_to(ROOT).as_posix() for path in (ROOT / "pybridge").rglob("*.sh")}
    assert scripts <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


def test_it_works_in_an_empty_environment_and_leaves_nothing(wheel: Path, installed: Command) -> None:
    install(installed, wheel)
    version = installed("version")
    assert version.stdout.startswith("pybridge "), version.stderr
    assert installed("install").returncode == 0
    assert installed.files() == {PLUGIN}
    written = (installed.home / PLUGIN).read_text(encoding="utf-8")
    shim = next(Path(installed.python).parents[1].rglob("_plugin/index.js"))
    assert shim.resolve().as_uri() in written
    assert installed.python.replace("\\", "\\\\") in written
    assert installed("uninstall").returncode == 0
    assert installed.files() == set()


def test_the_command_is_on_path(wheel: Path, installed: Command) -> None:
    install(installed, wheel)
    [script] = [p for p in Path(installed.python).parent.iterdir() if p.stem == "pybridge"]
    ran = subprocess.run([script, "version"], env=installed.variables(), capture_output=True, text=True, timeout=60)
    assert ran.stdout == installed("version").stdout


@pytest.mark.whole
def test_an_upgrade_over_the_previous_commit(wheel: Path, installed: Command, tmp_path: Path) -> None:
    before = build(checkout(tmp_path / "previous", "HEAD~1"), tmp_path / "previous-wheel")
    install(installed, before)
    assert installed("install").returncode == 0
    install(installed, wheel)
    again = installed("install")
    assert again.returncode == 0, again.stderr
    assert installed.files() == {PLUGIN}
    assert installed("version").returncode == 0
    assert installed("uninstall").returncode == 0
    assert installed.files() == set()


@pytest.mark.unit
@pytest.mark.parametrize("name", ["asyncssh", "cryptography"])
def test_the_libraries_beneath_ssh_have_a_tested_upper_bound(name: str) -> None:
    """Old servers need finite-field DH and more that cryptography has announced the end of, and asyncssh's inside."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [required] = [each for each in map(Requirement, project["dependencies"]) if each.name == name]
    installed = version(name)
    assert installed in required.specifier
    next_major = f"{int(installed.partition('.')[0]) + 1}.0"
    assert next_major not in required.specifier
