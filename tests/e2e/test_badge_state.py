"""Point 9 of issue 3: the badge says how the connection is, and a notice says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybridge.demo.model_server import call, say
from tests.e2e.conftest import MakeHome, Remote
from tests.e2e.test_badge import PROMPT, opened
from tests.kit.gate import Gate
from tests.kit.opencode import opencode_binary
from tests.kit.sshd import SshServer
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize(
    "variable", ["PYBRIDGE_OPENCODE", pytest.param("PYBRIDGE_OPENCODE_115", marks=pytest.mark.whole)]
)
def test_9_connecting_ready_lost_reconnecting_and_ready_again(
    make_home: MakeHome, openssh: SshServer, tmp_path: Path, variable: str
) -> None:
    binary = opencode_binary(variable)
    with Gate(openssh.port, is_open=False) as gate:
        command = openssh.ssh_command_with(port=gate.port, strict="no", known_hosts=tmp_path / "known_hosts")
        remote = {"REMOTE_SSH": command, "REMOTE_WORKDIR": "~"}
        home = make_home(environment={**remote, "PYBRIDGE_OPENCODE": str(binary)}, binary=binary)
        name = f"{openssh.user}@127.0.0.1:{gate.port} ~"
        turns = (call("bash", command="echo back again", description="d"), say("done"))
        with opened(home, turns) as (terminal, model):
            # A server that takes the connection and says nothing.
            terminal.wait_for(PROMPT, f"● Remote: {name} · connecting")
            gate.release()
            # The footer of the home screen says it in a word, in the place of the local folder's path.
            terminal.wait_for(f"● Remote: {name} · ready", gone="connecting")
            gate.hold()
            gate.cut()
            terminal.wait_for(f"● Remote: {name} · lost", "was lost")
            terminal.type("again")
            terminal.wait_for("again")
            terminal.type("\r")
            terminal.wait_for(f"● Remote: {name} · reconnecting", gone=PROMPT)
            gate.release()
            terminal.wait_for(f"● Remote: {name}", gone="reconnecting")
            results = wait_until(lambda: [r for m in model.requests for r in m.tool_results], "result at the model")
            assert results == ["back again\n"]
            assert " · lost" not in terminal.text()


@pytest.mark.whole
def test_9_a_refused_login_is_said(make_home: MakeHome, remote: Remote) -> None:
    server = remote.server
    command = server.ssh_command_with("-o", "PubkeyAuthentication=no")
    settings = {"REMOTE_SSH": command, "REMOTE_WORKDIR": "~", "REMOTE_PASSWORD": "not the password"}
    with opened(make_home(environment=settings)) as (terminal, _):
        name = f"{server.user}@127.0.0.1:{server.port}"
        # In the footer with its reason: the notice is gone after a while.
        shown = terminal.wait_for(PROMPT, f"● Remote: {name} ~ · failed  {name} denied access")
        assert "not the password" not in shown


@pytest.mark.whole
def test_9_a_remote_that_is_not_there_is_said(make_home: MakeHome) -> None:
    with Gate(0, is_open=False) as gate:
        settings = {"REMOTE_SSH": f"ssh -F none -p {gate.port} someone@127.0.0.1", "REMOTE_WORKDIR": "~"}
        with opened(make_home(environment=settings)) as (terminal, _):
            name = f"someone@127.0.0.1:{gate.port}"
            terminal.wait_for(f"● Remote: {name} ~ · connecting")
            gate.close()
            reason = f"127.0.0.1 port {gate.port} refused the connection"
            terminal.wait_for(f"● Remote: {name} ~ · failed  {reason}", f"Remote {name}: failed")
