"""Law 4: no state of our files may leave a built-in tool acting on this machine while REMOTE_SSH is set."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pybridge.demo.model_server import TITLE
from tests.e2e.conftest import LAUNCH, MakeHome
from tests.kit.canary import Canary
from tests.kit.opencode import PATCH_MODEL, OpenCodeHome, Run


def _missing(shim: Path) -> None:
    shutil.rmtree(shim)


def _entry_missing(shim: Path) -> None:
    (shim / "index.js").unlink()


def _rest_missing(shim: Path) -> None:
    (shim / "v1.js").unlink()


def _syntax_error(shim: Path) -> None:
    (shim / "index.js").write_text("export default {\n")


def _throws_at_load(shim: Path) -> None:
    (shim / "index.js").write_text("throw new Error('broken')\n")


def _throws_when_asked(shim: Path) -> None:
    (shim / "index.js").write_text(
        "export const serverWith = () => async () => { throw new Error('broken') }\n"
        "export default { id: 'pybridge', server: serverWith({}) }\n"
    )


def _schemas_damaged(shim: Path) -> None:
    (shim / "schemas.json").write_text("{")


DAMAGES = [
    _throws_at_load,
    *(
        pytest.param(damage, marks=pytest.mark.whole)
        for damage in (_missing, _syntax_error, _entry_missing, _rest_missing, _throws_when_asked, _schemas_damaged)
    ),
]


def anchor_of(home: OpenCodeHome) -> Path:
    """The folder `pybridge launch` starts OpenCode in."""
    done = subprocess.run(
        [sys.executable, "-m", "pybridge", "launch", "--print"],
        cwd=home.project,
        env=home.variables(home.project),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("cd "))
    return Path(line.removeprefix("cd ").strip("'"))


def assert_untouched(canary: Canary, run: Run, *, ran: bool = True) -> None:
    """The model tried, was refused each time, and no file was read or changed."""
    assert canary.untouched(), run
    assert not canary.told(run), run
    if ran:
        assert run.tools, run
        for use in run.tools:  # OpenCode answers a call of a tool it does not offer by a tool of its own, `invalid`
            assert use.status == "error" or (use.tool == "invalid" and "unavailable tool" in use.text), use


def assert_offered_nothing(canary: Canary, run: Run) -> None:
    """OpenCode asked the model, which was offered no tool at all: every wildcard of the user's is denied too."""
    assert_untouched(canary, run, ran=False)
    assert run.texts == [TITLE], run  # what the scripted model answers when it is offered no tools
    assert run.requests == []


def test_the_attack_works_where_nothing_protects(make_home: MakeHome) -> None:
    """The control: without pybridge the script reads and replaces the file, so the tests below can fail."""
    home = make_home()
    canary = Canary.put(home.project)
    run = home.run(canary.attack())
    assert canary.told(run)
    assert not canary.untouched()
    canary = Canary.put(home.project)
    (home.project / "made.txt").unlink()
    home.run(canary.patch_attack(), model=PATCH_MODEL)
    assert not canary.untouched()


@pytest.mark.parametrize("damage", DAMAGES)
def test_launcher_with_a_damaged_shim(
    make_home: MakeHome, settings: dict[str, str], checkout: Path, damage: Callable[[Path], None]
) -> None:
    home = make_home(environment={**settings, "PYTHONPATH": str(checkout)})
    canary = Canary.put(home.project, anchor_of(home))
    damage(checkout / "plugin")
    run = home.run(canary.attack(), launcher=LAUNCH)
    started = damage not in (_missing, _entry_missing)  # with those the launcher itself refuses to start
    assert_untouched(canary, run, ran=started)
    if not started:
        assert run.exit_code == 1
        assert "not completely installed" in run.stderr


@pytest.mark.parametrize("damage", DAMAGES)
def test_installed_plugin_with_a_damaged_shim(
    make_home: MakeHome, settings: dict[str, str], checkout: Path, damage: Callable[[Path], None]
) -> None:
    home = make_home(environment={**settings, "PYTHONPATH": str(checkout)})
    home.install()
    canary = Canary.put(home.project)
    damage(checkout / "plugin")
    assert_untouched(canary, home.run(canary.attack()))


@pytest.mark.whole
@pytest.mark.parametrize("launcher", [LAUNCH, ()], ids=["launcher", "installed"])
def test_apply_patch_with_a_damaged_shim(
    make_home: MakeHome, settings: dict[str, str], checkout: Path, launcher: tuple[str, ...]
) -> None:
    home = make_home(environment={**settings, "PYTHONPATH": str(checkout)})
    home.install()
    canary = Canary.put(home.project, anchor_of(home))
    _throws_at_load(checkout / "plugin")
    assert_untouched(canary, home.run(canary.patch_attack(), model=PATCH_MODEL, launcher=launcher))


@pytest.mark.whole
@pytest.mark.parametrize("launcher", [LAUNCH, ()], ids=["launcher", "installed"])
def test_python_missing(make_home: MakeHome, settings: dict[str, str], launcher: tuple[str, ...]) -> None:
    home = make_home(environment=settings)
    if not launcher:
        home.install()
    canary = Canary.put(home.project, anchor_of(home))
    home.environment = {**settings, "PYBRIDGE_PYTHON": "/nonexistent/python3"}
    run = home.run(canary.attack(), launcher=launcher)
    assert_untouched(canary, run)
    assert all("/nonexistent/python3" in use.text for use in run.tools), run


@pytest.mark.whole
@pytest.mark.parametrize("how", ["variable", "argument"])
def test_no_plugins_at_all(make_home: MakeHome, settings: dict[str, str], how: str) -> None:
    """OPENCODE_PURE=1 and --pure. Without the launcher nothing of ours runs then: it cannot hold there."""
    home = make_home(environment=settings | ({"OPENCODE_PURE": "1"} if how == "variable" else {}))
    canary = Canary.put(home.project, anchor_of(home))
    run = home.run(canary.attack(), launcher=LAUNCH, arguments=["--pure"] if how == "argument" else [])
    assert_untouched(canary, run)
    assert "no plugins" in run.stderr


@pytest.mark.whole
def test_the_users_own_permissions_cannot_open_it(
    make_home: MakeHome, settings: dict[str, str], checkout: Path
) -> None:
    """A user who allows everything, also for an agent, in every spelling OpenCode takes."""
    allow = {"*": "allow", "bash": {"*": "allow"}, "edit": "allow", "*it*": "allow"}
    config = {"permission": allow, "agent": {"build": {"permission": allow}}}
    home = make_home(config=config, environment={**settings, "PYTHONPATH": str(checkout)})
    canary = Canary.put(home.project, anchor_of(home))
    _throws_at_load(checkout / "plugin")
    assert_offered_nothing(canary, home.run(canary.attack(), launcher=LAUNCH))


@pytest.mark.whole
def test_a_project_configuration_in_the_anchor_cannot_open_it(
    make_home: MakeHome, settings: dict[str, str], checkout: Path
) -> None:
    home = make_home(environment={**settings, "PYTHONPATH": str(checkout)})
    anchor = anchor_of(home)
    canary = Canary.put(home.project, anchor)
    (anchor / "opencode.json").write_text('{"permission": "allow", "agent": {"build": {"permission": "allow"}}}')
    _throws_at_load(checkout / "plugin")
    assert_offered_nothing(canary, home.run(canary.attack(), launcher=LAUNCH))
