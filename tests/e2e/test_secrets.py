"""Law 6: secrets are in no environment or argument that `ps` shows, in no log and in no file."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybridge.demo.model_server import ModelServer, Turn, call, say
from tests.e2e.conftest import LAUNCH, MakeHome
from tests.e2e.test_install import pybridge
from tests.e2e.test_never_local import anchor_of
from tests.kit.asyncssh_server import EmbeddedServer
from tests.kit.counterparts import missing, need
from tests.kit.opencode import OpenCodeHome, opencode_binary
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.terminal import Terminal
from tests.kit.waiting import wait_until

SECRETS = {
    "REMOTE_PASSWORD": "hunter2-login",
    "REMOTE_SUDO_PASSWORD": "hunter2-sudo",
    "REMOTE_KEY_PASSPHRASE": "hunter2-key",
}

# A local MCP server as far as this test needs one: it writes down its environment and reads until its input ends.
MCP_STUB = """\
import json, os, sys
with open(sys.argv[1], "w") as file:
    json.dump(dict(os.environ), file)
for line in sys.stdin:
    message = json.loads(line)
    if message.get("method") == "initialize":
        result = {"protocolVersion": message["params"]["protocolVersion"], "capabilities": {},
                  "serverInfo": {"name": "stub", "version": "1"}}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
    elif "id" in message:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {}}), flush=True)
"""


@pytest.mark.whole
def test_no_secret_reaches_another_child_the_remote_or_a_file(
    make_home: MakeHome, settings: dict[str, str], workdir: str, tmp_path: Path
) -> None:
    (tmp_path / "stub.py").write_text(MCP_STUB)
    for launcher in (LAUNCH, ()):
        dump = tmp_path / f"environment-{bool(launcher)}.json"
        command = [sys.executable, str(tmp_path / "stub.py"), str(dump)]
        home = make_home(
            config={"mcp": {"stub": {"type": "local", "command": command, "enabled": True}}},
            environment={**settings, **SECRETS, "PLAIN_MARKER": "visible", "PYBRIDGE_LOG": "debug"},
        )
        if not launcher:
            pybridge(home, "install")
        show = "env; tr '\\0' '\\n' < /proc/$PPID/environ; tr '\\0' ' ' < /proc/$PPID/cmdline"
        run = home.run([call("bash", command=show, description="d"), say("done")], launcher=launcher)
        assert run.only.status == "completed", run
        assert "PLAIN_MARKER" in dump.read_text()  # the control: other variables do reach it
        for place, text in {
            "MCP server": dump.read_text(),
            "remote command": run.only.text,
            "standard error": run.stderr,
            "model": "".join(str(request.body) for request in run.requests),
        }.items():
            assert "hunter2" not in text, place
        files = [path for path in home.home.rglob("*") if path.is_file() and not path.is_symlink()]
        assert [path for path in files if b"hunter2" in path.read_bytes()] == []


# As npm's script starts OpenCode: the child gets standard input and outputs, and no other descriptor.
WRAPPER = """\
#!{node}
const {{ status }} = require("child_process").spawnSync({binary!r}, process.argv.slice(2), {{ stdio: "inherit" }})
process.exit(status ?? 1)
"""


@dataclass(frozen=True)
class Guarded:
    """A server that wants a password, and a command on it that runs until it is let go.

    Args:
        token: part of every secret, and of nothing else on this machine.
        environment: REMOTE_*, with the secrets.
        folder: the work folder.
        server: that counts the passwords.
    """

    token: str
    environment: dict[str, str]
    folder: Path
    server: EmbeddedServer

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The command, and the end."""
        waits = "touch started; until [ -e go ]; do sleep 0.1; done; echo logged in; rm started go"
        return call("bash", command=waits, description="d"), say("the model is done")

    def look(self, home: OpenCodeHome, over: Callable[[], bool]) -> dict[str, str]:
        """What shows while the command runs, by place; then let it go.

        Args:
            home: whose files are looked at, and whose processes must be seen.
            over: OpenCode has ended.
        """
        deadline = time.monotonic() + 90
        while not (self.folder / "started").exists():
            if over() or time.monotonic() > deadline:
                return {}
            time.sleep(0.05)
        shown = {"ps": subprocess.run([need("ps"), "axeww"], capture_output=True, text=True, check=True).stdout}
        for kind in ("environ", "cmdline"):
            for path in Path("/proc").glob(f"[0-9]*/{kind}"):
                try:
                    shown[str(path)] = path.read_bytes().decode(errors="replace")
                except OSError:
                    continue  # ended meanwhile
        shown |= {str(path): "a FIFO" for path in home.home.rglob("secrets-*")}
        shown |= files_below(home.folder)
        (self.folder / "go").touch()
        return shown

    def assert_hidden(self, home: OpenCodeHome, shown: dict[str, str]) -> None:
        """Something of OpenCode's was seen in every kind of place, and in none of them a secret."""
        assert shown, "the command did not run"
        witness = f"HOME={home.home}"
        assert witness in shown["ps"]
        assert [place for place, text in shown.items() if place.endswith("environ") and witness in text]
        assert [place for place, text in shown.items() if place.endswith("cmdline") and "pybridge.sidecar" in text]
        assert [place for place, text in {**shown, **files_below(home.folder)}.items() if self.token in text] == []
        assert [place for place, text in shown.items() if text == "a FIFO"] == []
        assert set(self.server.passwords) == {self.environment["REMOTE_PASSWORD"]}  # it is what opened the door


def files_below(folder: Path) -> dict[str, str]:
    """The content of every file."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path): path.read_bytes().decode(errors="replace") for path in files}


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Guarded]:
    if not Path("/proc/self/environ").exists():
        missing("there is no /proc with the environment of processes (Linux has it)")
    for name in ("keys", "work", "remote-home"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "remote-home"))  # of the server's commands
    token = f"hunter2-{secrets.token_hex(8)}"
    server = EmbeddedServer(tmp_path / "keys", password=f"{token}-login")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait_for(coroutine: object) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)  # type: ignore[arg-type]

    try:
        wait_for(server.__aenter__())
        environment = {
            "REMOTE_SSH": server.ssh_command(),
            "REMOTE_WORKDIR": str(tmp_path / "work"),
            "REMOTE_PASSWORD": f"{token}-login",
            "REMOTE_SUDO_PASSWORD": f"{token}-sudo",
            "REMOTE_KEY_PASSPHRASE": f"{token}-key",
            "PYBRIDGE_LOG": "debug",
        }
        yield Guarded(token, environment, tmp_path / "work", server)
        wait_for(server.__aexit__())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.mark.whole
@pytest.mark.parametrize("start", ["itself", "npm's script", "password command", "askpass"])
def test_nothing_shows_while_a_command_runs(make_home: MakeHome, guarded: Guarded, tmp_path: Path, start: str) -> None:
    environment = dict(guarded.environment)
    if start in ("password command", "askpass"):
        password = tmp_path / "keys" / "password"
        password.write_text(environment.pop("REMOTE_PASSWORD") + "\n")
        program = tmp_path / "keys" / "print-it"
        program.write_text(f"#!/bin/sh\nenv >{tmp_path}/asked\nexec cat {password}\n")
        program.chmod(0o700)
        asked = {"SSH_ASKPASS": str(program), "SSH_ASKPASS_REQUIRE": "force"}
        environment |= {"REMOTE_PASSWORD_COMMAND": str(program)} if start == "password command" else asked
    if start == "npm's script":
        script = tmp_path / "opencode"
        script.write_text(WRAPPER.format(node=need("node"), binary=str(opencode_binary())))
        script.chmod(0o755)
        environment["PYBRIDGE_OPENCODE"] = str(script)
    home = make_home(environment=environment)
    with ThreadPoolExecutor() as executor:
        running = executor.submit(home.run, guarded.turns, launcher=LAUNCH)
        shown = guarded.look(home, running.done)
        run = running.result()
    assert (run.only.status, run.only.text) == ("completed", "logged in\n"), run
    assert guarded.token not in run.stdout + run.stderr
    guarded.assert_hidden(home, shown)
    if (tmp_path / "asked").exists():
        assert guarded.token not in (tmp_path / "asked").read_text()
    else:
        assert start in ("itself", "npm's script")


@pytest.mark.whole
def test_nothing_shows_with_the_terminal_interface(make_home: MakeHome, guarded: Guarded) -> None:
    home = make_home(environment=guarded.environment)
    with ModelServer(guarded.turns) as model:
        home.write_config(model.base_url)
        with Terminal(LAUNCH, home.variables(home.project), home.project) as terminal:
            terminal.wait_for("Ask anything")
            terminal.type("go on")
            terminal.wait_for("go on")
            terminal.type("\r")
            shown = guarded.look(home, lambda: terminal.process.poll() is not None)
            results = wait_until(
                lambda: [r for m in model.requests for r in m.tool_results], "result that reached the model"
            )
    assert results == ["logged in\n"]
    guarded.assert_hidden(home, shown)


@pytest.mark.whole
def test_a_server_finds_them_when_it_is_asked_late(make_home: MakeHome, guarded: Guarded) -> None:
    """OpenCode loads the plugin with the first request for the folder; other starts meanwhile clear up."""
    home = make_home(environment=guarded.environment)
    anchor = anchor_of(home)
    assert list(home.home.rglob("secrets-*")) == []  # `--print` makes none
    with OpenCodeServe(home, launcher=LAUNCH, folder=anchor) as serve:
        [waiting] = home.home.rglob("secrets-*")
        os.utime(waiting, (1, 1))
        subprocess.run(
            [*LAUNCH, "--version"], cwd=home.project, env=home.variables(home.project), check=True, capture_output=True
        )
        [unread] = set(home.home.rglob("secrets-*")) - {waiting}
        unread.unlink()
        session = serve.session()
        serve.start_message(session, guarded.turns)
        shown = guarded.look(home, lambda: serve.process.poll() is not None)
        serve.wait_idle(session)
        assert [(use.status, use.text) for use in serve.tools(session)] == [("completed", "logged in\n")]
    guarded.assert_hidden(home, shown)
