"""`opencode serve`, `web` and `attach` under `pybridge launch`: whoever drives a session, its tools are the remote's.

The server has a password, as one that others can reach must have: what the plugin asks of it must work with that too.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybridge.demo.model_server import call, say
from tests.e2e.conftest import LAUNCH, MakeHome, Remote
from tests.kit.canary import Canary
from tests.kit.opencode import OpenCodeHome, opencode_binary
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.processes import Running, wait_until_none, with_home
from tests.kit.remote_truth import RemoteTruth
from tests.kit.terminal import Terminal
from tests.kit.waiting import wait_until

PASSWORD = "the-servers-password"
WHERE = call("bash", command='echo "$SSH_CONNECTION" | wc -w; pwd', description="where")


@dataclass(frozen=True)
class Serving:
    """A server with a password, on a remote folder.

    Args:
        server: it.
        home: where it runs.
        folder: the folder on the remote.
    """

    server: OpenCodeServe
    home: OpenCodeHome
    folder: str

    def sidecars(self) -> list[Running]:
        """The sidecars of this server."""
        return [running for running in with_home(self.home.home) if "pybridge.sidecar" in running.command]


@pytest.fixture(scope="module")
def serving(remote: Remote, truth: RemoteTruth, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = f"{remote.work}/servers"
    truth.make_folder(folder)
    home = OpenCodeHome(
        tmp_path_factory.mktemp("servers") / "opencode",
        opencode_binary(),
        environment={
            "REMOTE_SSH": remote.server.ssh_command,
            "REMOTE_WORKDIR": folder,
            "OPENCODE_SERVER_PASSWORD": PASSWORD,
        },
    )
    with OpenCodeServe(home, launcher=LAUNCH) as server:
        yield Serving(server, home, folder)
    truth.remove(folder)
    assert wait_until_none(home.home) == []


def test_10_a_session_over_http_acts_on_the_remote(serving: Serving, truth: RemoteTruth) -> None:
    server, folder = serving.server, serving.folder
    session = server.session()
    bash, write, read = server.message(
        session,
        [
            WHERE,
            call("write", filePath=f"{folder}/http.txt", content="over http\n"),
            call("read", filePath=f"{folder}/http.txt"),
            say("done"),
        ],
    )
    assert bash.text.split() == ["4", folder]
    assert write.text == "Wrote file successfully."
    assert "1: over http" in read.text
    assert truth.read(f"{folder}/http.txt") == b"over http\n"


def test_10_what_a_client_sees_of_the_server(serving: Serving) -> None:
    """Its folder is the anchor, one folder for this remote, in which its sessions are found again."""
    server = serving.server
    anchor = Path(server.request("GET", "/path")["directory"])
    assert anchor.is_relative_to(serving.home.home / ".opencode" / "remote-sessions")
    session = server.session()
    seen = {s["id"]: s["directory"] for s in server.request("GET", "/session")}
    assert seen[session] == str(anchor)
    assert set(seen.values()) == {str(anchor)}
    config = server.request("GET", "/config")
    assert config["snapshot"] is False
    assert PASSWORD not in json.dumps(config)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(server.url + "/session", timeout=60)


def test_10_another_folder_of_the_server_is_refused(serving: Serving, tmp_path: Path, truth: RemoteTruth) -> None:
    """Law 4: a client may name any folder; only the anchor stands for the remote, and nothing runs anywhere."""
    server, folder = serving.server, serving.folder
    canary = Canary.put(tmp_path)
    turns = [call("bash", command=f"touch '{folder}/ran' ran; cat canary.txt", description="d"), *canary.attack()]
    elsewhere = server.in_folder(tmp_path)
    used = elsewhere.message(elsewhere.session(), turns)
    anchor = server.request("GET", "/path")["directory"]
    assert used
    for use in used:
        assert use.status == "error", use
        assert str(tmp_path) in use.text
        assert anchor in use.text
        assert "REMOTE_ALL_DIRS=1" in use.text
        assert canary.secret not in use.text
    assert canary.untouched()
    assert not truth.exists(f"{folder}/ran")
    assert not (tmp_path / "ran").exists()
    # The anchor's own sessions go on.
    (bash,) = server.message(server.session(), [WHERE, say("done")])
    assert bash.text.split() == ["4", folder]


def test_10_the_end_of_an_instance_is_the_end_of_its_sidecar_and_the_next_call_starts_another(
    serving: Serving,
) -> None:
    server = serving.server
    session = server.session()
    (bash,) = server.message(session, [WHERE, say("done")])
    assert bash.status == "completed", bash
    (before,) = serving.sidecars()
    server.request("POST", "/instance/dispose")
    wait_until(lambda: before not in serving.sidecars(), "the sidecar's end")
    (bash,) = server.message(session, [WHERE, say("done")])
    assert bash.text.split() == ["4", serving.folder]
    (after,) = serving.sidecars()
    assert after.pid != before.pid


def test_10_a_prompt_in_an_attached_terminal_acts_on_the_remote(serving: Serving, tmp_path: Path) -> None:
    """The client's own REMOTE_* name another remote: they are not used, no second login, nothing is pretended."""
    server = serving.server
    home = OpenCodeHome(
        tmp_path / "client",
        serving.home.binary,
        environment={"REMOTE_SSH": "nobody@127.0.0.2", "REMOTE_WORKDIR": "~/elsewhere", "REMOTE_PASSWORD": "unused"},
    )
    server.model.play([call("bash", command="pwd; touch attached", description="d"), say("the model is done")])
    command = [*LAUNCH, "attach", server.url, "--password", PASSWORD]
    with Terminal(command, home.variables(home.project), home.project) as terminal:
        terminal.wait_for("Ask anything")
        terminal.type("where are we")
        terminal.wait_for("where are we")
        terminal.type("\r")
        shown = terminal.wait_for("the model is done", gone="Ask anything")
        assert "elsewhere" not in shown
        assert [running for running in with_home(home.home) if "pybridge.sidecar" in running.command] == []
    assert server.model.requests[-1].tool_results == [f"{serving.folder}\n"]
    (listed,) = server.message(server.session(), [call("bash", command="ls attached", description="d"), say("done")])
    assert listed.text == "attached\n"
    assert wait_until_none(home.home) == []


@pytest.mark.whole
def test_10_a_run_attached_to_the_server_acts_on_the_remote(serving: Serving, tmp_path: Path) -> None:
    home = OpenCodeHome(tmp_path / "client", serving.home.binary, environment={"OPENCODE_SERVER_PASSWORD": PASSWORD})
    serving.server.model.play_for("asked from elsewhere", [WHERE, say("done")])
    run = home.run([], launcher=LAUNCH, arguments=["--attach", serving.server.url], prompt="asked from elsewhere")
    assert run.exit_code == 0, run
    assert run.only.text.split() == ["4", serving.folder]
    assert "client of another OpenCode's server" in run.stderr


@pytest.mark.whole
def test_10_with_REMOTE_ALL_DIRS_every_folder_uses_the_remote(
    make_home: MakeHome, settings: dict[str, str], workdir: str, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with OpenCodeServe(make_home(environment={**settings, "REMOTE_ALL_DIRS": "1"}), launcher=LAUNCH) as server:
        for server_of_folder in (server, server.in_folder(other)):
            (bash,) = server_of_folder.message(server_of_folder.session(), [WHERE, say("done")])
            assert bash.text.split() == ["4", workdir]
    assert list(other.iterdir()) == []


@pytest.mark.whole
def test_10_the_web_interface_is_a_server_like_any_other(
    make_home: MakeHome, settings: dict[str, str], workdir: str, tmp_path: Path
) -> None:
    """It opens a browser, if there is one, and waits for none."""
    programs, opened, closed = tmp_path / "programs", tmp_path / "opened", tmp_path / "closed"
    programs.mkdir()
    browser = f"#!/bin/sh\necho \"$@\" > '{opened}'\nuntil [ -e '{closed}' ]; do sleep 0.1; done\n"
    (programs / "xdg-open").write_text(browser)
    (programs / "xdg-open").chmod(0o755)
    home = make_home(environment=settings)
    path = {"PATH": f"{programs}:{home.variables(home.project)['PATH']}"}
    try:
        with OpenCodeServe(home, launcher=LAUNCH, command="web", environment=path) as server:
            wait_until(lambda: opened.exists() and opened.read_text(), "browser")
            assert opened.read_text().rstrip("\n/") == server.url
            (bash,) = server.message(server.session(), [WHERE, say("done")])
            assert bash.text.split() == ["4", workdir]
    finally:
        closed.touch()
