"""`!command`, `POST /session/{id}/shell` and command templates run on the remote, and never on this machine."""

from __future__ import annotations

import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pybridge.demo.model_server import ModelServer, say
from tests.e2e.conftest import LAUNCH, MakeHome, Remote
from tests.e2e.test_never_local import anchor_of
from tests.kit.canary import Canary
from tests.kit.opencode import OpenCodeHome, opencode_binary
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.processes import wait_until_none, with_home
from tests.kit.remote_truth import RemoteTruth
from tests.kit.terminal import Terminal

SECONDS = 60.0

COMMANDS = {
    "where": {"template": "At !`pwd` there is:\n!`ls; echo hidden >&2`\nand $ARGUMENTS."},
    "canary": {"template": "Look: !`cat canary.txt; echo x > made.txt`"},
}


@dataclass(frozen=True)
class Place:
    """One `opencode serve` under `pybridge launch` for many tests.

    Args:
        home: what it runs in.
        serve: the server.
        workdir: the folder on the remote.
        anchor: the local folder that stands for it.
        runtime: XDG_RUNTIME_DIR.
    """

    home: OpenCodeHome
    serve: OpenCodeServe
    workdir: str
    anchor: Path
    runtime: Path


@pytest.fixture(scope="module")
def place(remote: Remote, truth: RemoteTruth, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    workdir = f"{remote.work}/user-commands"
    truth.make_folder(f"{workdir}/sub")
    runtime = tmp_path_factory.mktemp("run")
    environment = {
        "REMOTE_SSH": remote.server.ssh_command,
        "REMOTE_WORKDIR": workdir,
        "XDG_RUNTIME_DIR": str(runtime),
    }
    folder = tmp_path_factory.mktemp("user-commands") / "opencode"
    home = OpenCodeHome(folder, opencode_binary(), {"command": COMMANDS}, environment=environment)
    anchor = anchor_of(home)
    with OpenCodeServe(home, launcher=LAUNCH, folder=anchor) as serve:
        yield Place(home, serve, workdir, anchor, runtime)
    assert wait_until_none(home.home) == []
    truth.remove(workdir)
    assert list(runtime.iterdir()) == []


def shell(serve: OpenCodeServe, command: str, session: str | None = None) -> str:
    """What a `!command` shows."""
    body = {"agent": "build", "command": command, "model": {"providerID": "scripted", "modelID": "scripted"}}
    answer = serve.request("POST", f"/session/{session or serve.session()}/shell", body)
    [part] = [part for part in answer["parts"] if part["type"] == "tool"]
    assert part["state"]["status"] == "completed", part
    return part["state"]["output"]


def template(serve: OpenCodeServe, name: str, arguments: str = "") -> str:
    """What the model is told by a command of the user's own."""
    serve.model.play([say("done")])
    serve.request("POST", f"/session/{serve.session()}/command", {"command": name, "arguments": arguments})
    return serve.model.requests[-1].prompt


def until(look: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"no {what}")


def runs(truth: RemoteTruth, marker: str) -> bool:
    """Whether a process with `marker` in its command line runs on the remote (bracketed, so as not to find itself)."""
    return truth.run(f"ps -e -o args= | grep -c '[{marker[0]}]{marker[1:]}' || true").strip() != "0"


def output_of(serve: OpenCodeServe, session: str) -> str:
    [part] = serve.parts(session)
    return part["state"].get("metadata", {}).get("output", "")


def test_a_command_runs_where_the_bash_tool_would(place: Place, truth: RemoteTruth) -> None:
    script = (
        'pwd; echo "$SSH_CONNECTION" | wc -w; echo wrong >&2; echo $0; cat; echo "it\'s  a \\"x\\"" >made.txt; exit 3'
    )
    # The two streams come through channels of their own: which of two lines written at once is first is nobody's.
    assert sorted(shell(place.serve, script).splitlines()) == sorted([place.workdir, "4", "wrong", "/bin/bash"])
    assert truth.read(f"{place.workdir}/made.txt") == b'it\'s  a "x"\n'
    truth.remove(f"{place.workdir}/made.txt")


def test_much_output_arrives_whole_and_unsplit(place: Place) -> None:
    lines = shell(place.serve, 'i=0; while [ $i -lt 30000 ]; do echo "line $i äöü"; i=$((i+1)); done').splitlines()
    assert lines == [f"line {i} äöü" for i in range(30000)]


def test_a_template_shows_the_remote(place: Place, truth: RemoteTruth) -> None:
    assert template(place.serve, "where", "more") == f"At {place.workdir}\n there is:\nsub\n\nand more."


def test_output_grows_and_an_abort_kills_the_remote_processes_and_nothing_else(
    place: Place, truth: RemoteTruth
) -> None:
    serve = place.serve
    one, other = serve.session(), serve.session()
    threads = [
        threading.Thread(target=shell, args=(serve, "echo begun; sleep 4711 & sleep 4712; echo after", one)),
        threading.Thread(
            target=shell, args=(serve, "echo begun; until [ -e go ]; do sleep 0.2; done; echo end", other)
        ),
    ]
    for thread in threads:
        thread.start()
    for session in (one, other):
        until(lambda session=session: serve.parts(session) and "begun" in output_of(serve, session), "live output")
    assert runs(truth, "sleep 4711")
    assert runs(truth, "sleep 4712")
    serve.abort(one)
    threads[0].join(SECONDS)
    assert "User aborted the command" in output_of(serve, one)
    assert "after" not in output_of(serve, one)
    until(lambda: not runs(truth, "sleep 4711") and not runs(truth, "sleep 4712"), "end of the remote processes")
    truth.write(f"{place.workdir}/go", b"")
    threads[1].join(SECONDS)
    assert output_of(serve, other) == "begun\nend\n"
    truth.remove(f"{place.workdir}/go")


def test_what_the_shell_uses_is_private(place: Place) -> None:
    shell(place.serve, "true")
    [folder] = place.runtime.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    kinds = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert len(list(folder.iterdir())) == 2
    assert kinds == {0o600}


def test_a_killed_sidecar_is_started_again_or_refused(place: Place) -> None:
    serve = place.serve
    canary = Canary.put(place.anchor, place.home.project)

    def kill() -> None:
        [sidecar] = [running for running in with_home(place.home.home) if "pybridge.sidecar" in running.command]
        os.kill(sidecar.pid, signal.SIGKILL)
        until(lambda: sidecar not in with_home(place.home.home), "end of the sidecar")

    shell(serve, "true")
    kill()
    assert shell(serve, "pwd") == f"{place.workdir}\n"
    kill()
    told = template(serve, "canary")
    assert "pybridge: Not run: " in told
    assert "starts it again" in told
    assert shell(serve, "pwd") == f"{place.workdir}\n"
    assert template(serve, "where").startswith(f"At {place.workdir}\n")
    assert canary.untouched()
    for file in canary.files:
        file.unlink()


def test_a_terminal_of_the_web_interface_is_refused(place: Place) -> None:
    made = place.serve.request("POST", "/pty", {"title": "mine"})
    assert Path(made["command"]).name == "pybridge-no-local-shell"
    until(lambda: all(t["status"] == "exited" for t in place.serve.request("GET", "/pty")), "end of the terminal")


@pytest.mark.whole
@pytest.mark.parametrize(
    "damaged", ["index.js", *(pytest.param(name, marks=pytest.mark.whole) for name in ("v1.js", "user_shell.js"))]
)
@pytest.mark.parametrize("launcher", [LAUNCH, ()], ids=["launcher", "installed"])
def test_a_broken_plugin_runs_nothing_here(
    make_home: MakeHome, settings: dict[str, str], checkout: Path, damaged: str, launcher: tuple[str, ...]
) -> None:
    home = make_home(config={"command": COMMANDS}, environment={**settings, "PYTHONPATH": str(checkout)})
    if not launcher:
        home.install()
    folder = anchor_of(home) if launcher else home.project
    canary = Canary.put(folder, home.project)
    (checkout / "plugin" / damaged).write_text("throw new Error('broken')\n")
    with OpenCodeServe(home, launcher=launcher, folder=folder) as serve:
        try:
            shown = shell(serve, "cat canary.txt; echo x > made.txt")
        except AssertionError as error:  # OpenCode's own, that it cannot start its shell
            shown = str(error)
        told = template(serve, "canary")
    assert canary.secret not in shown + told
    assert canary.untouched()


@pytest.mark.whole
def test_without_the_launcher(make_home: MakeHome, settings: dict[str, str], truth: RemoteTruth, workdir: str) -> None:
    home = make_home(config={"command": COMMANDS}, environment=settings)
    home.install()
    truth.write(f"{workdir}/there.txt", b"")
    with OpenCodeServe(home) as serve:
        assert template(serve, "where", "more") == f"At {workdir}\n there is:\nthere.txt\n\nand more."
        assert shell(serve, "pwd; ls") == f"{workdir}\nthere.txt\n"
        serve.request("POST", "/pty", {"title": "mine"})
        until(lambda: serve.request("GET", "/pty") == [], "end of the terminal")


@pytest.mark.whole
def test_typed_in_the_terminal_interface(
    make_home: MakeHome, settings: dict[str, str], truth: RemoteTruth, workdir: str
) -> None:
    home = make_home(environment=settings)
    truth.write(f"{workdir}/there.txt", b"")
    with ModelServer() as model:
        home.write_config(model.base_url)
        with Terminal(list(LAUNCH), home.variables(home.project), home.project) as terminal:
            terminal.wait_for("Ask anything")
            terminal.type("!")
            terminal.wait_for("Run a command")
            terminal.type('echo "$SSH_CONNECTION" | wc -w; ls\r')
            terminal.wait_for("there.txt")
            assert truth.names(workdir) == ["there.txt"]


@pytest.mark.whole
def test_with_opencode_1_15(make_home: MakeHome, settings: dict[str, str], truth: RemoteTruth, workdir: str) -> None:
    binary = opencode_binary("PYBRIDGE_OPENCODE_115")
    home = make_home(
        config={"command": COMMANDS}, environment={**settings, "PYBRIDGE_OPENCODE": str(binary)}, binary=binary
    )
    truth.write(f"{workdir}/there.txt", b"")
    with OpenCodeServe(home, launcher=LAUNCH, folder=anchor_of(home)) as serve:
        assert shell(serve, "pwd; ls") == f"{workdir}\nthere.txt\n"
        assert template(serve, "where", "more") == f"At {workdir}\n there is:\nthere.txt\n\nand more."
        made = serve.request("POST", "/pty", {"title": "mine"})
        assert Path(made["command"]).name.startswith("pybridge-")
