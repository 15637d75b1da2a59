"""`pybridge launch`: the real OpenCode runs each of the seven tools over SSH; the remote is checked by fabric."""

from __future__ import annotations

import json

import pytest

from pybridge.demo.model_server import ToolCall, call, calls, say
from tests.e2e.conftest import LAUNCH, MakeHome
from tests.kit.opencode import PATCH_MODEL
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.processes import Running, wait_until_none, with_home
from tests.kit.remote_truth import RemoteTruth


def test_six_tools_act_on_the_remote(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth
) -> None:
    """D1, D7, D12: bash, glob, grep, read, write and edit, in one conversation."""
    truth.write(f"{workdir}/src/a.py", b"first = 1\nsecond = 2\n", mode=0o640)
    truth.write(f"{workdir}/src/b.txt", b"nothing here\n")
    home = make_home(environment=settings)
    run = home.run(
        [
            call("bash", command="pwd; echo out; echo err >&2", description="where"),
            call("glob", pattern="**/*.py"),
            call("grep", pattern="sec.nd"),
            call("read", filePath=f"{workdir}/src/a.py"),
            call("edit", filePath=f"{workdir}/src/a.py", oldString="second = 2", newString="second = 3"),
            call("write", filePath=f"{workdir}/deep/er/new.txt", content="héllo\n"),
            say("done"),
        ],
        launcher=LAUNCH,
    )
    assert run.exit_code == 0, run.stderr
    assert run.texts == ["done"]
    assert [(use.tool, use.status) for use in run.tools] == [
        (tool, "completed") for tool in ("bash", "glob", "grep", "read", "edit", "write")
    ], run
    bash, glob, grep, read, edit, write = run.tools
    assert bash.text.splitlines() == [workdir, "out", "err"]
    assert glob.text == f"{workdir}/src/a.py"
    assert grep.text.splitlines()[:3] == ["Found 1 matches", f"{workdir}/src/a.py:", "  Line 2: second = 2"]
    assert f"<path>{workdir}/src/a.py</path>" in read.text
    assert "2: second = 2" in read.text
    assert edit.text == "Edit applied successfully."
    assert write.text == "Wrote file successfully."
    assert truth.tree(workdir) == {
        "src/a.py": b"first = 1\nsecond = 3\n",
        "src/b.txt": b"nothing here\n",
        "deep/er/new.txt": "héllo\n".encode(),
    }
    assert truth.mode(f"{workdir}/src/a.py") == 0o640
    assert run.requests[-1].tool_results == [use.text for use in run.tools]


@pytest.mark.whole
def test_apply_patch_is_used_for_gpt_5_models(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth
) -> None:
    """D23: update, add, delete and move in one patch."""
    truth.write(f"{workdir}/keep.txt", b"one\ntwo\nthree\n")
    truth.write(f"{workdir}/gone.txt", b"bye\n")
    truth.write(f"{workdir}/old/name.txt", b"alpha\nbeta\n")
    patch = """\
*** Begin Patch
*** Update File: keep.txt
@@
 one
-two
+TWO
 three
*** Add File: made/here.txt
+hello
*** Delete File: gone.txt
*** Update File: old/name.txt
*** Move to: new/name.txt
@@
 alpha
-beta
+gamma
*** End Patch
"""
    run = make_home(environment=settings).run(
        [call("apply_patch", patchText=patch), say("done")], model=PATCH_MODEL, launcher=LAUNCH
    )
    assert run.only.status == "completed", run
    assert "Success. Updated the following files:" in run.only.text
    assert truth.tree(workdir) == {
        "keep.txt": b"one\nTWO\nthree\n",
        "made/here.txt": b"hello\n",
        "new/name.txt": b"alpha\ngamma\n",
    }
    offered = run.requests[0].tools
    assert "apply_patch" in offered
    assert not {"edit", "write"} & set(offered)


@pytest.mark.whole
def test_calls_in_parallel_all_answer(make_home: MakeHome, settings: dict[str, str], workdir: str) -> None:
    """D24: several calls of one turn."""
    numbers = range(6)
    wanted = [ToolCall("bash", {"command": f"echo n{n}; sleep 0.2", "description": "d"}) for n in numbers]
    run = make_home(environment=settings).run([calls(*wanted), say("done")], launcher=LAUNCH)
    assert sorted(use.text.strip() for use in run.tools) == [f"n{n}" for n in numbers]
    assert run.texts == ["done"]


@pytest.mark.whole
def test_a_failing_command_is_an_error_with_its_code(
    make_home: MakeHome, settings: dict[str, str], workdir: str
) -> None:
    """D16: non-zero exit; the text reaches the model as it stands."""
    run = make_home(environment=settings).run(
        [call("bash", command="echo before; exit 7", description="fail"), say("done")], launcher=LAUNCH
    )
    assert run.only.status == "error"
    assert run.only.text == "before\n\nExit code: 7"
    assert run.only.text in run.requests[-1].tool_results[0]


@pytest.mark.whole
def test_the_model_is_offered_our_schemas(make_home: MakeHome, settings: dict[str, str], workdir: str) -> None:
    """D7: exactly the seven by name, with the arguments that are really required."""
    run = make_home(environment=settings).run([say("done")], launcher=LAUNCH)
    offered = run.requests[0].tools
    required = {name: offered[name]["parameters"]["required"] for name in ("bash", "read", "edit", "glob", "grep")}
    assert required["read"] == ["filePath"]
    assert required["glob"] == ["pattern"]
    assert sorted(required["edit"]) == ["filePath", "newString", "oldString"]
    assert {"bash", "glob", "grep", "read", "write", "edit"} <= set(offered)


@pytest.mark.whole
def test_one_sidecar_serves_every_session_and_ends_with_opencode(
    make_home: MakeHome, settings: dict[str, str], workdir: str
) -> None:
    """One process however many sessions and calls; gone when OpenCode is, even by a signal."""

    def sidecars() -> list[Running]:
        return [running for running in with_home(home.home) if "pybridge.sidecar" in running.command]

    home = make_home(environment=settings)
    with OpenCodeServe(home, launcher=LAUNCH) as server:
        for _ in range(2):
            (use,) = server.message(server.session(), [call("bash", command="pwd", description="d"), say("done")])
            assert use.text.strip() == workdir
        assert len(sidecars()) == 1
    assert wait_until_none(home.home) == []


@pytest.mark.whole
def test_the_users_configuration_is_not_touched(make_home: MakeHome, settings: dict[str, str], workdir: str) -> None:
    """D1: the plugin is loaded without a change to the user's own files."""
    home = make_home(environment=settings)
    run = home.run([call("bash", command="true", description="d"), say("done")], launcher=LAUNCH)
    assert run.only.status == "completed", run
    config = json.loads((home.config_folder / "opencode.json").read_text())
    assert "plugin" not in config
    assert "permission" not in config
    assert not (home.config_folder / "plugins").exists()
    assert list(home.project.iterdir()) == []
