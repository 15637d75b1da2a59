"""D14: the badge `Remote: host /path` in the real OpenCode's terminal interface, started by `pybridge launch`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pybridge.demo.model_server import ModelServer, Turn, call, say
from tests.e2e.conftest import LAUNCH, MakeHome
from tests.e2e.test_install import pybridge
from tests.kit.opencode import OpenCodeHome, opencode_binary
from tests.kit.sshd import SshServer
from tests.kit.terminal import Terminal
from tests.kit.waiting import wait_until

PROMPT = "Ask anything"
"""What the home screen's prompt shows while it is empty, in every version."""

pytestmark = pytest.mark.timeout(400)

START_SECONDS = 180.0
"""How long OpenCode's interface may take to start: on a machine that does much else, a minute was seen."""

WITNESS = """\
export default {
  id: "WORD",
  async tui(api, options) {
    const { createElement, insert } = await import("@opentui/solid")
    const home_bottom = () => {
      const element = createElement("text")
      insert(element, ["WORD", options?.word].filter(Boolean).join(" "))
      return element
    }
    api.slots.register({ slots: { home_bottom } })
  },
}
"""
"""A plugin of somebody else's, which shows a word on the home screen."""


@pytest.fixture
def target(openssh: SshServer) -> dict[str, str]:
    """REMOTE_* for a folder in the remote user's home, with a short name."""
    (openssh.home / "badge").mkdir(exist_ok=True)
    return {"REMOTE_SSH": openssh.ssh_command, "REMOTE_WORKDIR": "~/badge"}


@contextmanager
def opened(
    home: OpenCodeHome, turns: tuple[Turn, ...] = (), *, launch: bool = True, columns: int = 140
) -> Iterator[tuple[Terminal, ModelServer]]:
    """OpenCode's terminal interface, with a scripted model."""
    command = list(LAUNCH) if launch else [str(home.binary)]
    with ModelServer(turns) as model:
        home.write_config(model.base_url)
        with Terminal(command, home.variables(home.project), home.project, columns=columns) as terminal:
            terminal.wait_for(PROMPT, seconds=START_SECONDS)
            yield terminal, model


@pytest.mark.parametrize(
    "variable", ["PYBRIDGE_OPENCODE", pytest.param("PYBRIDGE_OPENCODE_115", marks=pytest.mark.whole)]
)
def test_D14_home_and_session_show_host_and_path(
    make_home: MakeHome, openssh: SshServer, target: dict[str, str], variable: str
) -> None:
    binary = opencode_binary(variable)
    badge = f"Remote: {openssh.user}@127.0.0.1:{openssh.port} ~/badge"
    home = make_home(environment={**target, "PYBRIDGE_OPENCODE": str(binary)}, binary=binary)
    turns = (call("bash", command='echo "$SSH_CONNECTION" | wc -w; pwd', description="where"), say("the model is done"))
    with opened(home, turns) as (terminal, model):
        terminal.wait_for(badge, PROMPT)
        terminal.type("where are we")
        terminal.wait_for("where are we")
        terminal.type("\r")
        terminal.wait_for(badge, gone=PROMPT)
        # It is the remote it names that the tools act on. What the interface draws of that is OpenCode's: on a busy
        # machine 1.15.0 now and then loses an answer.
        results = wait_until(
            lambda: [r for m in model.requests for r in m.tool_results], "result that reached the model"
        )
        assert results == [f"4\n{openssh.home / 'badge'}\n"]
        assert badge in terminal.text()


@pytest.mark.whole
def test_D14_a_long_name_is_shortened_and_keeps_to_its_line(
    make_home: MakeHome, openssh: SshServer, target: dict[str, str]
) -> None:
    folder = "badge/" + "a-folder-with-a-long-name/" * 3 + "project"
    (openssh.home / folder).mkdir(parents=True, exist_ok=True)
    home = make_home(environment={**target, "REMOTE_WORKDIR": f"~/{folder}"})
    with opened(home, (say("the model is done"),), columns=80) as (terminal, model):
        terminal.wait_for("/project · ready", PROMPT)
        [line] = [line for line in terminal.lines_with("Remote: ") if "Build" in line]
        assert line.endswith("/project")
        assert "…" in line
        assert "scripted" in line  # the model's name is on the same line, whole
        terminal.type("hello")
        terminal.wait_for("hello")
        terminal.type("\r")
        terminal.wait_for("Remote: ", gone=PROMPT)
        wait_until(lambda: model.requests, "message that reached the model")
        [line] = terminal.lines_with("Remote: ")
        assert line.endswith("/project")


@pytest.mark.whole
def test_D14_without_a_remote_there_is_no_badge(make_home: MakeHome, target: dict[str, str], tmp_path: Path) -> None:
    """The generated file, left over in a shell whose REMOTE_SSH is gone."""
    launched = make_home(environment=target)
    with opened(launched) as (terminal, _):
        terminal.wait_for("Remote: ", PROMPT)
    [written] = (launched.home / ".local" / "state" / "pybridge" / "tui").iterdir()
    # A second plugin in the list says when plugins have been loaded: only then can the badge be missed.
    witness = tmp_path / "witness.js"
    witness.write_text(WITNESS.replace("WORD", "witness-is-there"))
    config = json.loads(written.read_text())
    config["plugin"].append(witness.as_uri())
    left = tmp_path / "left.json"
    left.write_text(json.dumps(config))
    with opened(make_home(environment={"OPENCODE_TUI_CONFIG": str(left)}), launch=False) as (terminal, _):
        assert "Remote: " not in terminal.wait_for("witness-is-there", PROMPT)


@pytest.mark.whole
def test_D14_the_users_own_interface_settings_stay(make_home: MakeHome, target: dict[str, str], tmp_path: Path) -> None:
    """Both `tui.json` and the file OPENCODE_TUI_CONFIG names, each with a plugin of its own, one by a relative path."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "one.js").write_text(WITNESS.replace("WORD", "from-the-variable"))
    (own / "word.txt").write_text("from-a-file")
    text = '{"plugin": [["./one.js", {"word": "{file:word.txt}"}]], /* a comment */}'
    (own / "mine.jsonc").write_text(text)
    home = make_home(environment={**target, "OPENCODE_TUI_CONFIG": str(own / "mine.jsonc")})
    other = home.config_folder / "two.js"
    other.write_text(WITNESS.replace("WORD", "from-the-folder"))
    (home.config_folder / "tui.json").write_text('{"plugin": ["./two.js"]}')
    with opened(home) as (terminal, _):
        terminal.wait_for("Remote: ", "from-the-variable from-a-file", "from-the-folder", PROMPT)
    assert (own / "mine.jsonc").read_text() == text
    assert (home.config_folder / "tui.json").read_text() == '{"plugin": ["./two.js"]}'


@pytest.mark.whole
def test_D14_a_badge_that_cannot_be_set_up_stops_nothing(
    make_home: MakeHome, target: dict[str, str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{oops")
    home = make_home(environment={**target, "OPENCODE_TUI_CONFIG": str(broken)})
    run = home.run([call("bash", command="true", description="d"), say("done")], launcher=LAUNCH)
    assert (run.exit_code, run.only.status, run.texts) == (0, "completed", ["done"]), run
    assert "no badge" in run.stderr
    assert str(broken) in run.stderr


@pytest.mark.whole
def test_9_an_installed_plugin_has_a_badge_where_the_user_wants_one(
    make_home: MakeHome, openssh: SshServer, target: dict[str, str]
) -> None:
    """`pybridge install` changes no configuration; it says which line to add to tui.json."""
    home = make_home(environment=target)
    said = pybridge(home, "install").stderr
    [entry] = re.findall(r'"file://[^"]+"', said)
    (home.config_folder / "tui.json").write_text(f'{{"plugin": [{entry}]}}')
    badge = f"● Remote: {openssh.user}@127.0.0.1:{openssh.port} "
    with opened(home, launch=False) as (terminal, _):
        terminal.wait_for(f"{badge}{openssh.home / 'badge'} · ready")
    with opened(home) as (terminal, _):  # and with the launcher still only one
        terminal.wait_for(badge, " · ready")
        assert len(terminal.lines_with("● Remote: ")) == 2  # prompt and footer
