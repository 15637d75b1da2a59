"""D8: no language server, formatter, snapshot or file watcher of OpenCode's looks at the local folder."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pybridge.demo.model_server import call, say
from tests.e2e.conftest import LAUNCH, MakeHome
from tests.kit import language_server
from tests.kit.counterparts import need
from tests.kit.language_server import COMPLAINT
from tests.kit.opencode import OpenCodeHome, ToolUse
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.remote_truth import RemoteTruth

NOISE = {"file.edited", "file.watcher.updated", "lsp.updated"}
"""Events OpenCode sends when one of these is at work."""

LAST = "the-last-event-of-the-test"
EVENT_SECONDS = 60.0


@dataclass(frozen=True)
class Seen:
    """What one session brought.

    Args:
        tools: its tool calls.
        events: the types of the events there were.
        servers: the language servers OpenCode has, at the end.
    """

    tools: list[ToolUse]
    events: set[str]
    servers: list[Any]


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """A folder in which a language server and a formatter leave a file each when they are started."""
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def noisy(marks: Path) -> dict[str, Any]:
    """A user's configuration with everything on."""
    server = [sys.executable, str(Path(language_server.__file__)), str(marks / "lsp")]
    formatter = ["sh", "-c", f"echo started > {shlex.quote(str(marks / 'formatter'))}"]
    return {
        "lsp": {"noisy": {"command": server, "extensions": [".py"]}},
        "formatter": {"noisy": {"command": formatter, "extensions": [".py"]}},
        "snapshot": True,
    }


def snapshots(home: OpenCodeHome) -> list[Path]:
    """What OpenCode keeps of the folders it has worked in."""
    return list(home.home.rglob("snapshot/*"))


def look(serve: OpenCodeServe, folder: str) -> Seen:
    """Read, edit and write Python files in a folder that has `a.py`."""
    session = serve.session()
    types: set[str] = set()
    with urllib.request.urlopen(f"{serve.url}/global/event", timeout=EVENT_SECONDS) as stream:
        stream.readline()  # connected: from now on every event is sent
        listener = threading.Thread(target=listen, args=(stream, types), daemon=True)
        listener.start()
        tools = serve.message(
            session,
            [
                call("read", filePath=f"{folder}/a.py"),
                call("edit", filePath=f"{folder}/a.py", oldString="one = 1", newString="one = undefined_name"),
                call("write", filePath=f"{folder}/b.py", content="import nothing_there\n"),
                say("done"),
            ],
        )
        serve.wait_idle(session)
        serve.request("PATCH", f"/session/{session}", {"title": LAST})
        listener.join(EVENT_SECONDS)
        assert not listener.is_alive()
    return Seen(tools, types, serve.request("GET", "/lsp"))


def listen(stream: Iterable[bytes], types: set[str]) -> None:
    """Collect the types of events, up to the one of a session that is called LAST."""
    for line in stream:
        if line.startswith(b"data:"):
            types.add(json.loads(line[5:])["payload"]["type"])
            if LAST.encode() in line:
                return


@pytest.mark.whole
def test_the_effective_configuration_has_all_of_them_off_D8(
    make_home: MakeHome, settings: dict[str, str], workdir: str, marks: Path
) -> None:
    home = make_home(environment=settings, config=noisy(marks))
    home.write_config("http://127.0.0.1:9")
    ran = subprocess.run(
        [*LAUNCH, "debug", "config"],
        cwd=home.project,
        env=home.variables(home.project),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
    )
    assert ran.returncode == 0, ran.stderr
    config = json.loads(ran.stdout)
    assert {name: config[name] for name in ("lsp", "snapshot", "formatter")} == {
        "lsp": False,
        "snapshot": False,
        "formatter": False,
    }


@pytest.mark.whole
def test_read_edit_and_write_bring_no_diagnostics_and_no_events_D8(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth, marks: Path
) -> None:
    truth.write(f"{workdir}/a.py", b"one = 1\n")
    home = make_home(environment=settings, config=noisy(marks))
    with OpenCodeServe(home, launcher=LAUNCH) as serve:
        seen = look(serve, workdir)
    assert [(use.tool, use.status) for use in seen.tools] == [(name, "completed") for name in ("read", "edit", "write")]
    assert [use.metadata["diagnostics"] for use in seen.tools[1:]] == [{}, {}]
    assert [use.text for use in seen.tools[1:]] == ["Edit applied successfully.", "Wrote file successfully."]
    assert not NOISE & seen.events
    assert seen.servers == []
    assert list(marks.iterdir()) == []
    assert snapshots(home) == []
    assert truth.tree(workdir) == {"a.py": b"one = undefined_name\n", "b.py": b"import nothing_there\n"}


@pytest.mark.whole
def test_the_same_configuration_is_noisy_without_launch_D8(make_home: MakeHome, marks: Path) -> None:
    """What the test above would see if it were not off: every one of its assertions can fail."""
    home = make_home(config=noisy(marks))
    subprocess.run([need("git"), "init", "-q", home.project], check=True)
    (home.project / "a.py").write_text("one = 1\n")
    with OpenCodeServe(home) as serve:
        seen = look(serve, str(home.project))
    assert all(COMPLAINT in use.text for use in seen.tools[1:]), seen.tools
    assert all(use.metadata["diagnostics"] for use in seen.tools[1:])
    assert seen.events >= NOISE
    assert len(seen.servers) == 1
    assert sorted(path.name for path in marks.iterdir()) == ["formatter", "lsp"]
    assert snapshots(home) != []
