"""The smoke part on the oldest OpenCode promised (D29): 1.15.0, named by PYBRIDGE_OPENCODE_115."""

from __future__ import annotations

import subprocess

import pytest

from pybridge.demo.model_server import call, say
from tests.e2e.conftest import LAUNCH, MakeHome
from tests.e2e.test_install import pybridge
from tests.e2e.test_never_local import anchor_of, assert_untouched
from tests.kit.canary import Canary
from tests.kit.opencode import PATCH_MODEL, opencode_binary
from tests.kit.remote_truth import RemoteTruth


@pytest.mark.whole
def test_seven_tools_with_launcher_and_installed(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth
) -> None:
    binary = opencode_binary("PYBRIDGE_OPENCODE_115")
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert version.strip() == "1.15.0"
    for launcher in (LAUNCH, ()):
        truth.remove(workdir)
        truth.write(f"{workdir}/a.txt", b"one\n")
        home = make_home(environment=settings, binary=binary)
        if not launcher:
            pybridge(home, "install")
        run = home.run(
            [
                call("bash", command="pwd", description="d"),
                call("read", filePath=f"{workdir}/a.txt"),
                call("edit", filePath=f"{workdir}/a.txt", oldString="one", newString="two"),
                call("write", filePath=f"{workdir}/b.txt", content="b\n"),
                call("glob", pattern="*.txt"),
                call("grep", pattern="two"),
                say("done"),
            ],
            launcher=launcher,
        )
        assert [use.status for use in run.tools] == ["completed"] * 6, run
        assert run.tools[0].text.strip() == workdir
        patch = "*** Begin Patch\n*** Update File: a.txt\n@@\n-two\n+three\n*** End Patch"
        run = home.run([call("apply_patch", patchText=patch), say("done")], model=PATCH_MODEL, launcher=launcher)
        assert run.only.status == "completed", run
        assert truth.tree(workdir) == {"a.txt": b"three\n", "b.txt": b"b\n"}


@pytest.mark.whole
def test_no_plugins_at_all(make_home: MakeHome, settings: dict[str, str]) -> None:
    """Law 4 holds there too."""
    home = make_home(environment={**settings, "OPENCODE_PURE": "1"}, binary=opencode_binary("PYBRIDGE_OPENCODE_115"))
    canary = Canary.put(home.project, anchor_of(home))
    assert_untouched(canary, home.run(canary.attack(), launcher=LAUNCH))
