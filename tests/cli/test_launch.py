"""`pybridge launch` with the real OpenCode, up to the point where it would connect."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pybridge.demo.opencode_job import QUIET
from tests.cli.conftest import TARGET, Command
from tests.kit.counterparts import need
from tests.kit.opencode import OpenCodeHome, opencode_binary
from tests.kit.opencode_serve import OpenCodeServe

posix = pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX programs")

OPEN = {
    "permission": {"bash": {"*": "ask", "git *": "allow"}, "webfetch": "ask", "*": "allow", "e*": "allow"},
    "tools": {"grep": True},
    "agent": {
        "build": {"permission": {"bash": "allow", "*": "allow"}},
        "tooled": {"prompt": "p", "tools": {"bash": True, "write": False}},
        "quiet": {"prompt": "p"},
    },
    "mode": {"old": {"prompt": "p", "permission": {"bash": "allow"}}},
}
"""A configuration that re-allows what is denied, in every way there is."""

LAUNCH = (sys.executable, "-m", "pybridge", "launch", "--")

AGENTS = ("build", "plan", "tooled", "quiet", "old", "written", "explore")


@pytest.fixture
def opencode(pybridge: Command) -> Command:
    """The command, with OpenCode and a target; nothing goes to the network."""
    pybridge.environment = {
        **TARGET,
        **QUIET,
        "PYBRIDGE_OPENCODE": str(opencode_binary()),
        "npm_config_offline": "true",
    }
    folder = pybridge.home / ".config" / "opencode"
    write_agent(folder)
    (folder / "opencode.json").write_text(json.dumps({"$schema": "https://opencode.ai/config.json", **OPEN}))
    return pybridge


def planned(ran: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The variables `launch --print` shows."""
    assert ran.returncode == 0, ran.stderr
    lines = [shlex.split(line) for line in ran.stdout.splitlines() if line.startswith("export ")]
    return dict(line[1].split("=", 1) for line in lines)


def write_agent(config_folder: Path) -> None:
    """An agent in a Markdown file of its own."""
    (config_folder / "agent").mkdir(parents=True)
    (config_folder / "agent" / "written.md").write_text("---\nmode: subagent\npermission:\n  bash: allow\n---\nhello\n")


def anchor_of(home: OpenCodeHome) -> Path:
    """Made by a first `launch --print`, so that a process can be started with it as its folder."""
    home.write_config("http://127.0.0.1:9")
    ran = subprocess.run(
        [*LAUNCH[:-1], "--print"],
        cwd=home.project,
        env=home.variables(home.project),
        capture_output=True,
        encoding="utf-8",
        timeout=100,
    )
    return Path(planned(ran)["REMOTE_ANCHOR"])


class TestPrint:
    """`--print`: what would be started."""

    def test_it_shows_program_folder_and_variables(self, opencode: Command) -> None:
        ran = opencode("launch", "--print", "--", "run", "two words", "--continue")
        variables = planned(ran)
        anchor = variables["REMOTE_ANCHOR"]
        assert ran.stdout.splitlines()[0] == f"cd {anchor}"
        assert ran.stdout.splitlines()[-1].endswith(" run 'two words' --continue")
        assert Path(anchor).parent == opencode.home / ".opencode" / "remote-sessions"
        assert variables["PWD"] == anchor
        assert variables["PYBRIDGE_PYTHON"] == sys.executable
        content = json.loads(variables["OPENCODE_CONFIG_CONTENT"])
        assert content["snapshot"] is content["lsp"] is content["formatter"] is False  # D8
        assert content["plugin"][0].endswith("/plugin/index.js")
        assert Path(content["shell"]).is_file()

    def test_what_follows_the_dashes_is_opencodes(self, opencode: Command) -> None:
        ran = opencode("launch", "--print", "--", "--prnt", "--", "--print", "-h")
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.splitlines()[-1].endswith(" --prnt -- --print -h")

    def test_nothing_secret_is_shown(self, opencode: Command) -> None:
        secrets = {
            "REMOTE_PASSWORD": "hush-one",
            "REMOTE_SUDO_PASSWORD": "hush-two",
            "OPENCODE_CONFIG_CONTENT": '{"provider": {"x": {"options": {"apiKey": "hush-three"}}}}',
        }
        ran = opencode("launch", "--print", env=secrets)
        assert ran.returncode == 0, ran.stderr
        assert "hush" not in ran.stdout + ran.stderr
        assert "PYBRIDGE_SECRETS" not in ran.stdout
        assert not list(opencode.home.rglob("secrets-*"))
        assert "your own value" in ran.stdout

    @pytest.mark.whole
    def test_the_second_start_does_not_ask_opencode_again(self, opencode: Command) -> None:
        first = opencode("launch", "--print")
        # An executable that can say nothing, with the same path, time and size.
        real = Path(opencode.environment["PYBRIDGE_OPENCODE"])
        copy = opencode.home / "opencode"
        shutil.copy2(real, copy)
        opencode.environment["PYBRIDGE_OPENCODE"] = str(copy)
        asked = planned(opencode("launch", "--print"))
        stat = copy.stat()
        with copy.open("r+b") as file:
            file.write(b"\0\0\0\0")
        os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert planned(opencode("launch", "--print")) == asked
        assert planned(first)["PYBRIDGE_USER_PERMISSION"] == asked["PYBRIDGE_USER_PERMISSION"]

    @pytest.mark.whole
    def test_a_changed_configuration_is_noticed(self, opencode: Command) -> None:
        opencode("launch", "--print")
        config = opencode.home / ".config" / "opencode" / "opencode.json"
        config.write_text(json.dumps({"agent": {"new": {"prompt": "p", "permission": {"read": "allow"}}}}))
        handed = json.loads(planned(opencode("launch", "--print"))["PYBRIDGE_USER_PERMISSION"])
        assert handed == {"permission": None, "agent": {"new": {"read": "allow"}, "written": {"bash": "allow"}}}

    def test_the_users_files_stay_as_they_are(self, opencode: Command) -> None:
        config = opencode.home / ".config" / "opencode" / "opencode.json"
        before = config.read_bytes()
        opencode("launch", "--print")
        assert config.read_bytes() == before

    def test_a_new_user_gets_no_configuration_file(self, opencode: Command) -> None:
        shutil.rmtree(opencode.home / ".config")
        planned(opencode("launch", "--print"))
        assert not list((opencode.home / ".config").rglob("*.json*"))


class TestClosed:
    """Law 4: with the launcher, a plugin that does not load leaves no tool that acts here."""

    @pytest.mark.whole
    def test_without_the_plugin_every_agent_is_closed(self, tmp_path: Path) -> None:
        agents = self.agents(tmp_path, LAUNCH, OPENCODE_PURE="1")
        assert set(AGENTS) <= set(agents)
        for name in AGENTS:
            rules = [(rule["permission"], rule["pattern"], rule["action"]) for rule in agents[name]]
            for tool in ("bash", "edit", "read", "glob", "grep", "list"):
                last = [rule for rule in rules if rule[0] in (tool, "*") or (rule[0] == "e*" and tool == "edit")][-1]
                assert last[1:] == ("*", "deny"), (name, tool)

    @pytest.mark.whole
    def test_the_plugin_puts_every_agents_own_permissions_back(self, tmp_path: Path) -> None:
        plain = self.agents(tmp_path / "plain", (), OPENCODE_PURE="1")
        assert {name: plain[name] for name in AGENTS} == {
            name: rules for name, rules in self.agents(tmp_path / "launched", LAUNCH).items() if name in AGENTS
        }

    def agents(self, folder: Path, launcher: tuple[str, ...], **env: str) -> dict[str, Any]:
        """Each agent's permissions, as a running OpenCode tells them."""
        home = OpenCodeHome(
            folder / "opencode",
            opencode_binary(),
            config=OPEN,
            environment={**TARGET, "npm_config_offline": "true", **env},
        )
        write_agent(home.config_folder)
        at = anchor_of(home) if launcher else home.project
        with OpenCodeServe(home, launcher=launcher, folder=at) as serve:
            listed = serve.request("GET", "/agent")
        text = json.dumps({agent["name"]: agent["permission"] for agent in listed})
        # The only difference there may be: paths of the home itself.
        return json.loads(text.replace(folder.as_posix().lstrip("/"), "HERE"))

    def test_a_command_is_not_run(self, opencode: Command, tmp_path: Path) -> None:
        canary = tmp_path / "canary"
        call = ("debug", "agent", "build", "--tool", "bash", "--params", json.dumps({"command": f"touch {canary}"}))
        ran = opencode("launch", "--", *call, env={"OPENCODE_PURE": "1"})
        assert "Tool bash is disabled for agent build" in ran.stdout + ran.stderr
        assert not canary.exists()
        assert "no plugins" in ran.stderr

    @posix
    def test_the_same_call_acts_here_without_the_launcher(self, opencode: Command, tmp_path: Path) -> None:
        """What the test above would see if nothing were denied."""
        canary = tmp_path / "canary"
        call = ("debug", "agent", "build", "--tool", "bash", "--params", json.dumps({"command": f"touch {canary}"}))
        subprocess.run(
            [opencode.environment["PYBRIDGE_OPENCODE"], *call],
            cwd=opencode.home,
            env={**opencode.variables({"OPENCODE_PURE": "1"}), "PWD": str(opencode.home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=100,
            check=True,
        )
        assert canary.exists()

    def test_what_an_administrator_allows_cannot_be_closed_and_nothing_starts(
        self, opencode: Command, tmp_path: Path
    ) -> None:
        managed = tmp_path / "managed"
        managed.mkdir()
        (managed / "opencode.json").write_text(json.dumps({"agent": {"plan": {"permission": {"bash": "allow"}}}}))
        ran = opencode("launch", "--", "--version", env={"OPENCODE_TEST_MANAGED_CONFIG_DIR": str(managed)})
        assert ran.returncode == 1
        assert "'plan' use bash" in ran.stderr
        assert "not started" in ran.stderr
        assert ran.stdout == ""

    def test_a_configuration_opencode_cannot_read_is_named_and_nothing_starts(self, opencode: Command) -> None:
        (opencode.home / ".config" / "opencode" / "opencode.json").write_text('{"permission": {"bash": "perhaps"}}')
        ran = opencode("launch", "--", "--version")
        assert ran.returncode == 1
        assert "opencode.json" in ran.stderr
        assert ran.stdout == ""

    def test_content_that_is_no_json_is_named(self, opencode: Command) -> None:
        ran = opencode("launch", "--print", env={"OPENCODE_CONFIG_CONTENT": "{oops"})
        assert ran.returncode == 1
        assert "OPENCODE_CONFIG_CONTENT" in ran.stderr


@pytest.mark.parametrize(
    "variable", ["PYBRIDGE_OPENCODE", pytest.param("PYBRIDGE_OPENCODE_115", marks=pytest.mark.whole)]
)
class TestAnchor:
    """The folder OpenCode is started in, as OpenCode sees it."""

    @pytest.mark.whole
    def test_it_is_not_part_of_a_home_under_git(self, variable: str, tmp_path: Path) -> None:
        git = need("git")
        home = OpenCodeHome(tmp_path / "opencode", opencode_binary(variable), environment=self.settings(variable))
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run([git, "init", "-q", home.home], check=True)
        subprocess.run([git, "-C", home.home, *identity, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
        anchor = anchor_of(home)
        with OpenCodeServe(home, launcher=LAUNCH, folder=anchor) as serve:
            seen = serve.request("GET", "/path")
        assert seen["directory"] == str(anchor)
        assert seen["worktree"] in ("/", str(anchor))

    @pytest.mark.whole
    @posix
    def test_a_command_of_the_users_is_refused_and_not_run(self, variable: str, tmp_path: Path) -> None:
        home = OpenCodeHome(tmp_path / "opencode", opencode_binary(variable), environment=self.settings(variable))
        anchor = anchor_of(home)
        body = {"agent": "build", "command": f"touch {tmp_path}/canary; echo ran"}
        body["model"] = {"providerID": "scripted", "modelID": "scripted"}  # type: ignore[assignment]
        with OpenCodeServe(home, launcher=LAUNCH, folder=anchor) as serve:
            session = serve.session()
            serve.request("POST", f"/session/{session}/shell", body)
            [part] = serve.parts(session)
        assert part["state"]["output"].startswith("pybridge: ")  # that there is no such remote
        assert not (tmp_path / "canary").exists()

    def settings(self, variable: str) -> dict[str, str]:
        return {**TARGET, "npm_config_offline": "true", "PYBRIDGE_OPENCODE": str(opencode_binary(variable))}


class TestErrors:
    """Each names what to do, and starts nothing."""

    @pytest.mark.parametrize("words", [("--prnt",), ("--print", "--continue"), ("run", "-c", "--", "x")])
    @pytest.mark.unit
    def test_an_option_that_is_none_of_ours_is_refused(self, pybridge: Command, words: tuple[str, ...]) -> None:
        ran = pybridge("launch", *words, env=TARGET)
        assert ran.returncode == 2
        assert "No such option: -" in ran.stderr
        assert "Arguments for OpenCode go after `--`" in ran.stderr
        assert "[OPTIONS] [-- ARGS]" in ran.stderr
        assert ran.stdout == ""

    @pytest.mark.parametrize(
        ("env", "words"),
        [
            ({"REMOTE_WORKDIR": ""}, ["REMOTE_WORKDIR is not set", "e.g."]),
            ({"REMOTE_SSH": "-L 1:2:3 host"}, ["-L"]),
            ({"REMOTE_SSH": "-p host"}, ["REMOTE_SSH"]),
            ({"REMOTE_POOL_FILE_SIZE": "many"}, ["REMOTE_POOL_FILE_SIZE", "from 1 to 64"]),
            ({"PATH": "/nowhere"}, ["OpenCode is not on PATH", "npm install -g opencode-ai"]),
        ],
    )
    @pytest.mark.unit
    def test_a_wrong_setting_is_named(self, pybridge: Command, env: dict[str, str], words: list[str]) -> None:
        ran = pybridge("launch", env={**TARGET, **env})
        assert ran.returncode == 1
        assert all(word in ran.stderr for word in words), ran.stderr
        assert ran.stderr.splitlines()[-1] == "`pybridge doctor` checks every step."
        assert ran.stdout == ""


@posix
def test_secrets_nobody_read_are_cleared_away_by_the_next_start(opencode: Command) -> None:
    environments = opencode.home / "environments"
    program = opencode.home / "opencode"
    program.write_text(f'#!/bin/sh\nenv >> {environments}\nexec {opencode.environment["PYBRIDGE_OPENCODE"]} "$@"\n')
    program.chmod(0o755)
    opencode.environment["PYBRIDGE_OPENCODE"] = str(program)
    secret = {"REMOTE_PASSWORD": "hush"}
    assert opencode("launch", "--", "--version", env=secret).returncode == 0  # it never loads the plugin
    [left] = opencode.home.rglob("secrets-*")
    os.utime(left, (1, 1))
    assert opencode("launch", "--", "--version", env=secret).returncode == 0
    [newer] = opencode.home.rglob("secrets-*")
    assert newer != left
    # Neither OpenCode nor what asked it for its version and configuration had it.
    assert "REMOTE_SSH=" in environments.read_text()
    assert "hush" not in environments.read_text()


@posix
@pytest.mark.whole
def test_opencodes_exit_code_and_output_are_the_commands(opencode: Command) -> None:
    ran = opencode("launch", "--", "--version")
    assert (ran.returncode, ran.stdout.strip()[:2]) == (0, "1.")
    assert "pybridge: OpenCode will work on someone@127.0.0.1:1, ~/project" in ran.stderr
    assert opencode("launch", "--", "debug", "agent", "nobody").returncode not in (0, None)
