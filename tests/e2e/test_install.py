"""`pybridge install`: the plugin in OpenCode's own folder, OpenCode started as always."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pybridge.demo.model_server import call, say
from tests.e2e.conftest import MakeHome
from tests.kit.opencode import PATCH_MODEL, OpenCodeHome
from tests.kit.remote_truth import RemoteTruth


def pybridge(home: OpenCodeHome, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in that home."""
    return subprocess.run(
        [sys.executable, "-m", "pybridge", *arguments],
        cwd=home.project,
        env=home.variables(home.project),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


@pytest.mark.whole
def test_an_installed_plugin_works_without_the_launcher(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth
) -> None:
    """D1: active through REMOTE_* only, all seven tools."""
    truth.write(f"{workdir}/a.txt", b"one\n")
    home = make_home(environment=settings)
    pybridge(home, "install")
    run = home.run(
        [
            call("read", filePath=f"{workdir}/a.txt"),
            call("edit", filePath=f"{workdir}/a.txt", oldString="one", newString="two"),
            call("write", filePath=f"{workdir}/b.txt", content="b\n"),
            call("bash", command="cat a.txt", description="d"),
            call("glob", pattern="*.txt"),
            call("grep", pattern="two"),
            say("done"),
        ]
    )
    assert [use.status for use in run.tools] == ["completed"] * 6, run
    assert run.tools[3].text.strip() == "two"
    patch = "*** Begin Patch\n*** Update File: a.txt\n@@\n-two\n+three\n*** End Patch"
    assert home.run([call("apply_patch", patchText=patch), say("done")], model=PATCH_MODEL).only.status == "completed"
    assert truth.tree(workdir) == {"a.txt": b"three\n", "b.txt": b"b\n"}


def test_without_remote_ssh_opencode_is_as_before(make_home: MakeHome) -> None:
    """D1: otherwise the plugin does nothing."""
    home = make_home()
    pybridge(home, "install")
    run = home.run([call("write", filePath=str(home.project / "local.txt"), content="here\n"), say("done")])
    assert run.only.status == "completed"
    assert (home.project / "local.txt").read_text() == "here\n"


def test_uninstall_leaves_opencode_as_it_was(make_home: MakeHome) -> None:
    home = make_home()
    before = {p for p in home.home.rglob("*")}
    pybridge(home, "install")
    assert (home.config_folder / "plugins" / "pybridge.js").exists()
    pybridge(home, "uninstall")
    assert not (home.config_folder / "plugins" / "pybridge.js").exists()
    assert {p for p in home.home.rglob("*") if p.is_file()} == {p for p in before if p.is_file()}
