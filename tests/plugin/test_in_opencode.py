"""The plugin in the real OpenCode, with a pretended remote behind the real sidecar."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pybridge.demo.model_server import MODEL_ID, call, say
from pybridge.tools.arguments import ARGUMENTS
from tests.kit.opencode import PATCH_MODEL, OpenCodeHome, opencode_binary
from tests.kit.opencode_serve import OpenCodeServe
from tests.plugin.kit import PLUGIN, TOOLS, fake_python

DENIED: dict[str, Any] = dict.fromkeys(TOOLS, "deny")


def home(
    folder: Path,
    *,
    own: Any = None,
    config: dict[str, Any] | None = None,
    plugin: Path = PLUGIN / "index.js",
    variable: str = "PYBRIDGE_OPENCODE",
    env: dict[str, str] | None = None,
) -> OpenCodeHome:
    """OpenCode as the launcher starts it: the tools denied, the user's `own` permissions handed over."""
    environment = {
        "REMOTE_SSH": "pretended.example",
        "PYBRIDGE_PYTHON": str(fake_python(folder)),
        "PYBRIDGE_USER_PERMISSION": json.dumps(own or {"permission": None, "agent": {}}),
        **(env or {}),
    }
    (folder / "opencode").mkdir()
    given = config or {"permission": DENIED}
    return OpenCodeHome(folder / "opencode", opencode_binary(variable), given, plugin, environment)


@pytest.mark.parametrize("variable", ["PYBRIDGE_OPENCODE", "PYBRIDGE_OPENCODE_115"])
def test_denied_tools_work_once_the_plugin_has_loaded(tmp_path: Path, variable: str) -> None:
    run = home(tmp_path, variable=variable).run([call("bash", command="echo", text="from the remote"), say("Done.")])
    assert (run.only.status, run.only.text) == ("completed", "from the remote"), run
    assert run.only.title == "bash title"
    assert run.only.metadata["call"] == run.only.call_id


@pytest.mark.whole
@pytest.mark.parametrize("variable", ["PYBRIDGE_OPENCODE", "PYBRIDGE_OPENCODE_115"])
def test_the_model_is_offered_the_schemas_of_the_python_models(tmp_path: Path, variable: str) -> None:
    seen: dict[str, Any] = {}
    for number, model in enumerate([MODEL_ID, PATCH_MODEL]):
        (tmp_path / str(number)).mkdir()
        run = home(tmp_path / str(number), variable=variable).run([say("Done.")], model=model)
        seen |= {name: tool for name, tool in run.requests[0].tools.items() if name in TOOLS}
    assert sorted(seen) == TOOLS
    for name, tool in seen.items():
        expected = ARGUMENTS[name].model_json_schema()
        assert sorted(tool["parameters"]["properties"]) == sorted(expected["properties"]), name
        assert sorted(tool["parameters"]["required"]) == sorted(expected["required"]), name


@pytest.mark.parametrize("variable", ["PYBRIDGE_OPENCODE", "PYBRIDGE_OPENCODE_115"])
def test_long_answers_reach_the_model_whole(tmp_path: Path, variable: str) -> None:
    text = "\n".join(f"row {n}" for n in range(2500)) + "x" * 60_000
    run = home(tmp_path, variable=variable).run([call("bash", command="echo", text=text), say("Done.")])
    assert run.only.text == text
    assert "outputPath" not in run.only.metadata
    assert run.requests[-1].tool_results == [text]


@pytest.mark.whole
def test_denials_of_an_agent_are_lifted_too(tmp_path: Path) -> None:
    config = {"permission": DENIED, "agent": {"build": {"permission": DENIED}}}
    own = {"permission": None, "agent": {"build": {"webfetch": "deny"}}}
    run = home(tmp_path, own=own, config=config).run([call("bash", command="echo"), say("Done.")])
    assert run.only.text == "hello", run
    assert "webfetch" not in run.requests[0].tools


def test_the_users_own_denial_holds(tmp_path: Path) -> None:
    own = {"permission": {"bash": "deny"}, "agent": {}}
    run = home(tmp_path, own=own).run([call("read", filePath="/x"), say("Done.")])
    assert "bash" not in run.requests[0].tools
    assert run.only.text == "hello"


@pytest.mark.parametrize("damage", ["missing", "syntax"])
def test_a_damaged_plugin_leaves_nothing_local(tmp_path: Path, damage: str) -> None:
    plugin = Path(shutil.copytree(PLUGIN, tmp_path / "plugin"))
    if damage == "missing":
        (plugin / "sidecar.js").unlink()
    else:
        (plugin / "index.js").write_text("export default {{{")
    machine = home(tmp_path, plugin=plugin / "index.js")
    run = machine.run([call("bash", command=f"touch {tmp_path}/canary"), say("Done.")])
    assert [tool.tool for tool in run.tools] == ["invalid"], run  # what OpenCode makes of a tool it does not offer
    assert not (tmp_path / "canary").exists()
    assert not set(TOOLS) & set(run.requests[0].tools)


def test_without_denials_a_damaged_plugin_says_so(tmp_path: Path) -> None:
    plugin = Path(shutil.copytree(PLUGIN, tmp_path / "plugin"))
    (plugin / "sidecar.js").unlink()
    machine = home(tmp_path, plugin=plugin / "index.js", config={"autoupdate": False})
    run = machine.run([call("bash", command=f"touch {tmp_path}/canary"), say("Done.")])
    assert "could not be loaded" in run.only.text, run
    assert not (tmp_path / "canary").exists()


def test_a_rejected_permission_ends_the_turn_as_with_a_built_in(tmp_path: Path) -> None:
    own = {"permission": {"edit": "ask"}, "agent": {}}
    # `opencode run` rejects whatever is asked.
    run = home(tmp_path, own=own).run([call("bash", command="ask"), call("bash", command="echo"), say("Done.")])
    assert "rejected permission" in run.only.text, run
    assert len(run.requests) == 1


@pytest.mark.whole
def test_a_rule_of_the_users_that_refuses_does_not_end_the_turn(tmp_path: Path) -> None:
    own = {"permission": {"edit": {"*": "allow", "a.txt": "deny"}}, "agent": {}}
    run = home(tmp_path, own=own).run([call("bash", command="ask"), call("bash", command="echo"), say("Done.")])
    assert [tool.status for tool in run.tools] == ["error", "completed"], run
    assert "prevents" in run.tools[0].text


@pytest.mark.whole
def test_one_server_two_folders(tmp_path: Path) -> None:
    anchor, other = tmp_path / "anchor", tmp_path / "other"
    anchor.mkdir()
    other.mkdir()
    machine = home(tmp_path, env={"REMOTE_ANCHOR": str(anchor)})
    with OpenCodeServe(machine, folder=anchor) as server:
        settings = server.message(server.session(), [call("bash", command="settings"), say("Done.")])
        assert settings[0].text == "settings"
        server._folder = other
        session = server.session()
        (refused,) = server.message(session, [call("bash", command=f"touch {tmp_path}/canary"), say("Done.")])
        assert refused.status == "error"
        assert str(anchor) in refused.text
        assert str(other) in refused.text
        assert not (tmp_path / "canary").exists()
        server._folder = anchor
        (again,) = server.message(server.session(), [call("bash", command="settings"), say("Done.")])
        assert again.metadata["pid"] == settings[0].metadata["pid"]


@pytest.mark.whole
def test_an_abort_reaches_the_call(tmp_path: Path) -> None:
    marker = tmp_path / "aborted"
    machine = home(tmp_path)
    with OpenCodeServe(machine) as server:
        session = server.session()
        server.message(session, [call("bash", command="echo"), say("Done.")])
        server.start_message(session, [call("bash", command="wait", marker=str(marker)), say("Done.")])
        running = server._wait(
            lambda: [p for p in server.parts(session) if p["state"]["status"] == "running"], 30, "call"
        )
        assert running[0]["tool"] == "bash"
        server._wait(lambda: marker.exists(), 30, "begun call")
        server.abort(session)
        server.wait_idle(session)
        server._wait(lambda: marker.read_text() == "aborted", 30, "abort")
