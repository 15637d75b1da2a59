"""Law 6 with every secret at once: nowhere on either machine, while commands run, and after a kill -9."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pybridge.demo.model_server import call, say
from tests.e2e.conftest import LAUNCH, MakeHome
from tests.e2e.test_secrets import MCP_STUB
from tests.kit import figures
from tests.kit.effort import by_effort
from tests.kit.opencode import OpenCodeHome
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.processes import with_home
from tests.kit.secret_places import Needles, below, changed_since, of_processes
from tests.kit.sudo_server import SudoServer
from tests.kit.waiting import wait_until

pytestmark = [pytest.mark.whole, pytest.mark.timeout(600)]

CONTROL = "control"
"""What is no secret, and lies in every place on purpose: so that a look that sees nothing is seen."""


@dataclass
class Scene:
    """A server that wants a key with a passphrase and a password, and a sudo that wants root's.

    Args:
        server: it.
        words: the secrets by name, and the control.
        source: the file REMOTE_PASSWORD_COMMAND prints, which alone may hold one.
    """

    server: SudoServer
    words: dict[str, str]
    source: Path
    begun: float = field(default_factory=lambda: time.time() - 1)

    def __post_init__(self) -> None:
        self.needles = Needles(self.words)
        self.looked_at = 0

    @property
    def home(self) -> Path:
        """The remote home folder, as seen from here."""
        return self.server.path(self.server.home)

    def environment(self, how: str, **changed: str) -> dict[str, str]:
        """REMOTE_*, with the password from a variable or from a command."""
        words = {**self.words, **changed}
        if how == "command":
            self.source.write_text(words["login"] + "\n")
            login = {"REMOTE_PASSWORD_COMMAND": f"cat {self.source}"}
        else:
            login = {"REMOTE_PASSWORD": words["login"]}
        return {
            "REMOTE_SSH": self.server.ssh_command,
            "REMOTE_WORKDIR": self.server.home,
            "REMOTE_SUDO_PASSWORD": words["sudo"],
            "REMOTE_KEY_PASSPHRASE": words["key"],
            "PYBRIDGE_LOG": "debug",
            "PLAIN_MARKER": self.words[CONTROL],
            **login,
        }

    def look(self, home: OpenCodeHome, *, whole: bool = True) -> dict[str, set[str]]:
        """What is found, by place: in all processes, and in all files that have changed since the beginning.

        Args:
            home: OpenCode's.
            whole: look at all of the root file system, not at the usual folders only.
        """
        inside = [self.server.path(folder) for folder in ("/home", "/run", "/tmp", "/var/tmp", "/dev/shm")]
        roots = [*inside, Path("/")] if whole else inside
        places = {*of_processes(), *below(home.folder, self.home), *changed_since(self.begun, *roots)}
        self.looked_at += len(places)
        return self.needles.found_in_files(place for place in places if not place.endswith(str(self.source)))

    def assert_clean(self, found: dict[str, set[str]], *seen: str) -> None:
        """No secret anywhere; and the control in a place of each kind: part of a path, or of a process's files."""
        assert {place: names for place, names in found.items() if names - {CONTROL}} == {}
        for kind in seen:
            assert [place for place, names in found.items() if kind in place and CONTROL in names], (kind, list(found))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    words = {name: f"hunter2{name}{secrets.token_hex(12)}" for name in ("login", "sudo", "key", "wrong", CONTROL)}
    (tmp_path / "server").mkdir()
    server = SudoServer(
        tmp_path / "server",
        password=words["login"],
        passphrase=words["key"],
        root_password=words["sudo"],
        asks_password=True,
    )
    yield Scene(server, words, tmp_path / "from-a-password-manager")
    server.stop()


def processes_of(home: OpenCodeHome, part: str) -> list[int]:
    """Ids of the processes with this home and a part in their command line."""
    return [running.pid for running in with_home(home.home) if part in running.command]


def kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("how", by_effort(["command"], ["command"], ["variable", "command"]))
def test_9_no_secret_anywhere_while_commands_run_and_after_kills(
    make_home: MakeHome, scene: Scene, tmp_path: Path, how: str, request: pytest.FixtureRequest
) -> None:
    control = scene.words[CONTROL]
    (tmp_path / "stub.py").write_text(MCP_STUB)
    stub = [sys.executable, str(tmp_path / "stub.py"), str(tmp_path / "mcp-environment.json")]
    home = make_home(
        config={"mcp": {"stub": {"type": "local", "command": stub, "enabled": True}}},
        environment=scene.environment(how),
    )
    # It asks for sudo's password before and after, dumps what it can see of itself, and puts the control everywhere.
    runs = (
        f"sudo -k id -u > ids; env > env; set > set; "
        f"for f in control /var/tmp/{control} /tmp/{control}; do echo {control} > $f; done; "
        f"sh -c 'touch started; until [ -e go ]; do sleep 0.1; done; :' {control}; rm go started; "
        f"sudo -k id -u >> ids; for i in $(seq 4000); do echo $i {control}; done"
    )
    changes = (call("read", filePath=f"{scene.server.home}/control"), call("bash", command="true", description="d"))
    try:
        with OpenCodeServe(home, launcher=LAUNCH) as serve:
            session = serve.session()
            serve.start_message(session, [call("bash", command=runs, description="d"), *changes, say("done")])
            wait_until((scene.home / "started").exists, "sign of the command")
            scene.assert_clean(scene.look(home), "/cmdline", "/environ", "/var/tmp", "/tmp/", scene.server.home)
            assert control in (tmp_path / "mcp-environment.json").read_text()  # its child has OpenCode's environment
            (scene.home / "go").touch()
            serve.wait_idle(session)
            uses = serve.tools(session)
            assert [use.status for use in uses] == ["completed"] * 3, uses
            assert (scene.home / "ids").read_text() == "0\n0\n"  # sudo had its password, twice
            written = serve.message(
                session, [call("write", filePath=f"{scene.server.home}/control", content=f"{control}!"), say("ok")]
            )
            assert [use.status for use in written] == ["completed"], written
            scene.assert_clean(scene.look(home, whole=False), "/mirrors/", "/output/", "/journal/")
            scene.assert_clean(scene.needles.found_in_files(below(home.folder)), "/mirrors/")

            # The sidecar is killed while a command runs; then OpenCode, while another one runs.
            for part in ("pybridge.sidecar", str(home.binary)):
                serve.start_message(session, [call("bash", command=runs, description="d"), say("done")])
                wait_until((scene.home / "started").exists, "sign of the command")
                kill(processes_of(home, part))
                scene.assert_clean(scene.look(home, whole=False), "/var/tmp", "/mirrors/")
                (scene.home / "go").touch()
                (scene.home / "started").unlink(missing_ok=True)
                if part == "pybridge.sidecar":
                    serve.wait_idle(session)
                    (scene.home / "go").unlink(missing_ok=True)
            wait_until(lambda: not processes_of(home, "pybridge.sidecar"), "end of the sidecar")
            # What lies there has no place for the control; so it is put beside it, where the look must come by.
            beside = {kind: next(p for p in below(home.folder) if kind in p) for kind in ("/log/", "/temporaries/")}
            for place in beside.values():
                Path(place).with_name("beside").write_text(control)
            scene.assert_clean(scene.look(home), "/var/tmp", "/mirrors/", *beside)
    finally:
        for folder in ("/tmp", "/var/tmp"):
            (Path(folder) / control).unlink(missing_ok=True)
    figures.tell(request, "secrets", "files, command lines and environments looked at", scene.looked_at)


def pybridge(home: OpenCodeHome, *words: str) -> str:
    """Run it; all it said."""
    done = subprocess.run(
        [sys.executable, "-m", "pybridge", *words],
        cwd=home.project,
        env=home.variables(home.project),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("how", by_effort(["variable"], ["variable"], ["variable", "command"]))
def test_9_no_secret_in_what_is_said(make_home: MakeHome, scene: Scene, how: str) -> None:
    """The report to paste into an issue; and errors, of logins that are refused and of commands that fail."""
    home = make_home(environment=scene.environment(how))
    said = {"report": pybridge(home, "doctor", "--report"), "doctor": pybridge(home, "doctor")}
    assert "REMOTE_SSH=ssh" in said["report"]
    assert "All is well" in said["report"]  # it logged in, with all of them
    run = home.run([call("bash", command="sudo -k id -u; cat missing", description="d"), say("done")], launcher=LAUNCH)
    assert (run.only.status, "0\n" in run.only.text, "missing" in run.only.text) == ("error", True, True), run.only
    said["call"] = run.stdout + run.stderr + "".join(str(request.body) for request in run.requests)
    for wrong in ("login", "sudo", "key"):
        other = make_home(environment=scene.environment(how, **{wrong: scene.words["wrong"]}))
        said[f"wrong {wrong}: report"] = pybridge(other, "doctor", "--report")
        run = other.run([call("bash", command="sudo -k id -u", description="d"), say("done")], launcher=LAUNCH)
        assert (run.only.status, "rejected permission" in run.only.text) == ("error", False), (wrong, run.only)
        said[f"wrong {wrong}: call"] = run.stdout + run.stderr + "".join(str(request.body) for request in run.requests)
    assert {what: names for what, text in said.items() if (names := scene.needles.found_in(text))} == {}
    scene.assert_clean(scene.look(home, whole=False))


def test_9_a_crash_leaves_no_core(make_home: MakeHome, scene: Scene) -> None:
    """Where the user's limits allow one; the kernel writes it into the folder the process is in."""
    home = make_home(environment=scene.environment("variable"))
    limits = ("sh", "-c", 'ulimit -c unlimited; exec "$@"', "sh")
    with OpenCodeServe(home, launcher=(*limits, *LAUNCH)) as serve:
        session = serve.session()
        waits = "touch started; until [ -e go ]; do sleep 0.1; done"
        serve.start_message(session, [call("bash", command=waits, description="d"), say("done")])
        wait_until((scene.home / "started").exists, "sign of the command")
        [sidecar] = processes_of(home, "pybridge.sidecar")
        allowed = Path(f"/proc/{sidecar}/limits").read_text()
        [line] = [line for line in allowed.splitlines() if line.startswith("Max core file size")]
        assert line.split()[4:6] == ["0", "unlimited"]
        folder = Path(f"/proc/{sidecar}/cwd").readlink()
        os.kill(sidecar, signal.SIGABRT)
        serve.wait_idle(session)
        assert list(folder.glob("core*")) == []
    scene.assert_clean(scene.look(home, whole=False))


@pytest.mark.parametrize("around", ["", "x", "xy", "xyz"])
def test_the_look_sees_what_is_encoded(around: str) -> None:
    secret = f"hunter2{secrets.token_hex(8)}"
    needles = Needles({"a": secret, "b": "another-one"})
    text = f"{around}{secret}{around}".encode()
    for form in (text, base64.b64encode(text), text.hex().encode(), text.hex().upper().encode()):
        assert needles.found_in(b"before " + form + b" after") == {"a"}
    assert needles.found_in(json.dumps({"k": text.decode()})) == {"a"}
    assert needles.found_in(base64.b64encode(b"nothing of the kind")) == set()
