"""`pybridge install` and `uninstall`: one file, ours alone, that fails closed on its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pybridge.cli.plugin_file import plugin_file
from tests.cli.conftest import Command
from tests.kit.counterparts import need

PLUGIN = ".config/opencode/plugins/pybridge.js"
SEVEN = {"bash", "glob", "grep", "read", "write", "edit", "apply_patch"}


@pytest.mark.unit
def test_it_writes_one_file_and_uninstall_removes_it(pybridge: Command) -> None:
    before = pybridge.files()
    installed = pybridge("install")
    assert installed.returncode == 0, installed.stderr
    assert installed.stdout.strip() == str(pybridge.home / PLUGIN)
    assert pybridge.files() - before == {PLUGIN}
    assert json.dumps(sys.executable) in (pybridge.home / PLUGIN).read_text(encoding="utf-8")
    assert pybridge("install").returncode == 0  # again: an update
    removed = pybridge("uninstall")
    assert (removed.returncode, removed.stdout) == (0, f"Removed {pybridge.home / PLUGIN}\n")
    assert pybridge.files() == before
    assert not (pybridge.home / PLUGIN).parent.exists()
    assert pybridge("uninstall").returncode == 0


@pytest.mark.unit
def test_a_file_of_others_is_neither_overwritten_nor_removed(pybridge: Command) -> None:
    foreign = pybridge.home / PLUGIN
    foreign.parent.mkdir(parents=True)
    foreign.write_text("export default {}\n")
    for command in ("install", "uninstall"):
        ran = pybridge(command)
        assert ran.returncode == 1
        assert str(foreign) in ran.stderr
        assert foreign.read_text() == "export default {}\n"


@pytest.mark.unit
def test_other_plugins_stay(pybridge: Command) -> None:
    other = (pybridge.home / PLUGIN).with_name("other.js")
    other.parent.mkdir(parents=True)
    other.write_text("export default {}\n")
    pybridge("install")
    pybridge("uninstall")
    assert other.exists()


@pytest.mark.unit
def test_the_folder_is_the_one_opencode_reads(pybridge: Command, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    named = tmp_path / "named"
    assert pybridge("install", "--project", cwd=project).returncode == 0
    assert (project / ".opencode" / "plugins" / "pybridge.js").exists()
    assert pybridge("install", env={"OPENCODE_CONFIG_DIR": str(named)}).returncode == 0
    assert (named / "plugins" / "pybridge.js").exists()
    assert not (pybridge.home / PLUGIN).exists()
    assert pybridge("uninstall", "--project", cwd=project).returncode == 0
    assert list(project.iterdir()) == []


@pytest.mark.unit
def test_a_projects_own_files_stay(pybridge: Command, tmp_path: Path) -> None:
    own = tmp_path / ".opencode" / "opencode.json"
    own.parent.mkdir()
    own.write_text("{}")
    assert pybridge("install", "--project", cwd=tmp_path).returncode == 0
    assert pybridge("uninstall", "--project", cwd=tmp_path).returncode == 0
    assert list(own.parent.iterdir()) == [own]


@pytest.mark.unit
def test_purge_leaves_nothing(pybridge: Command) -> None:
    pybridge("install")
    for name in (".opencode/mirrors/h/r/in/f", ".opencode/remote-sessions/s/.git", ".local/state/pybridge/log/x"):
        (pybridge.home / name).parent.mkdir(parents=True, exist_ok=True)
        (pybridge.home / name).write_text("x")
    asked = pybridge("uninstall", "--purge")
    assert asked.returncode == 1
    assert "--yes" in asked.stderr
    assert ".opencode/mirrors/h/r/in/f" in pybridge.files()
    assert pybridge("uninstall", "--purge", "--yes").returncode == 0
    assert pybridge.files() == set()
    assert not (pybridge.home / ".opencode").exists()


def load(folder: Path, shim: Path, **env: str) -> Any:
    """Load the written file as OpenCode does, with node, and say what it registers; each tool is called once."""
    node = need("node", why="loads the plugin file")
    (folder / "pybridge.mjs").write_bytes(plugin_file(Path("/a/python"), shim))
    script = """
      const plugin = (await import(process.argv[1])).default
      const hooks = await plugin.server({ directory: "/" }, undefined)
      const said = {}
      for (const [name, tool] of Object.entries(hooks.tool ?? {})) {
        said[name] = await tool.execute({}, {}).then((x) => x, (e) => "Error: " + e.message)
      }
      console.log(JSON.stringify({ id: plugin.id, said, others: Object.keys(hooks).filter((k) => k !== "tool") }))
    """
    ran = subprocess.run(
        [node, "--input-type=module", "-e", script, (folder / "pybridge.mjs").as_uri()],
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


WORKING = """
export const serverWith = (fixed) => async () => ({
  config: async () => {},
  tool: Object.fromEntries(%s.map((name) => [name, { execute: async () => fixed.python }])),
})
"""


class TestFile:
    """The written file, whatever became of the package."""

    @pytest.mark.parametrize(
        "shim",
        [None, "syntax error (", "throw new Error('at load')", "export const serverWith = () => { throw 'early' }",
         "export const serverWith = () => async () => { throw new Error('late') }", "export default 1",
         "export const serverWith = () => async () => ({})", "export const serverWith = () => async () => undefined"],
    )  # fmt: skip
    def test_with_a_broken_package_all_seven_refuse(self, tmp_path: Path, shim: str | None) -> None:
        """Law 4."""
        if shim is not None:
            (tmp_path / "shim.mjs").write_text(shim)
        seen = load(tmp_path, tmp_path / "shim.mjs", REMOTE_SSH="me@host")
        assert seen["id"] == "pybridge"
        assert set(seen["said"]) == SEVEN
        for said in seen["said"].values():
            assert said.startswith("Error: The remote tools are not available")
            assert "neither here nor on the remote" in said

    def test_a_working_one_gets_the_interpreter_and_keeps_its_hooks(self, tmp_path: Path) -> None:
        (tmp_path / "shim.mjs").write_text(WORKING % json.dumps(sorted(SEVEN)))
        seen = load(tmp_path, tmp_path / "shim.mjs", REMOTE_SSH="me@host")
        assert seen["said"] == dict.fromkeys(SEVEN, "/a/python")
        assert seen["others"] == ["config"]

    def test_a_tool_it_lacks_refuses(self, tmp_path: Path) -> None:
        (tmp_path / "shim.mjs").write_text(WORKING % json.dumps(sorted(SEVEN - {"bash"})))
        said = load(tmp_path, tmp_path / "shim.mjs", REMOTE_SSH="me@host")["said"]
        assert said["bash"].startswith("Error: ")
        assert said["read"] == "/a/python"

    def test_without_remote_ssh_it_does_nothing(self, tmp_path: Path) -> None:
        """D1: the package is not even looked at."""
        assert load(tmp_path, tmp_path / "gone.mjs")["said"] == {}
