"""The real OpenCode, run in a home folder of its own, driven by the scripted model."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pybridge.demo.model_server import MODEL_ID, ModelRequest, ModelServer, Turn, provider_config
from pybridge.demo.opencode_job import NO_REGISTRY, QUIET
from tests.kit.counterparts import missing

PATCH_MODEL = "scripted-gpt-5"
"""A model id for which OpenCode offers apply_patch instead of edit and write."""

RUN_SECONDS = 100.0
"""How long one run may take: long enough for a slow machine, shorter than pytest's own limit."""


def opencode_binary(variable: str = "PYBRIDGE_OPENCODE") -> Path:
    """The executable to test with: named by an environment variable, else (the main one only) found on PATH.

    Args:
        variable: PYBRIDGE_OPENCODE for 1.18.33, PYBRIDGE_OPENCODE_115 for 1.15.0.
    """
    named = os.environ.get(variable) or ("opencode" if variable == "PYBRIDGE_OPENCODE" else "")
    found = shutil.which(named) if named else None
    if found is None:
        missing(f"OpenCode is not there: set {variable} to its executable")
    return Path(found)


@dataclass(frozen=True)
class ToolUse:
    """One tool call as OpenCode reported it when it was over.

    Args:
        tool: its name.
        call_id: OpenCode's id of the call.
        status: `completed` or `error`.
        arguments: what the model passed.
        text: the result's text, or the error's.
        title: the result's title.
        metadata: the result's metadata.
        attachments: files that came with the result.
    """

    tool: str
    call_id: str
    status: str
    arguments: dict[str, Any]
    text: str
    title: str
    metadata: dict[str, Any]
    attachments: list[dict[str, Any]]

    @classmethod
    def from_part(cls, part: Mapping[str, Any]) -> ToolUse:
        """Read a message part of type `tool`."""
        state = part["state"]
        status = state["status"]
        return cls(
            part["tool"],
            part["callID"],
            status,
            state.get("input", {}),
            state.get("error" if status == "error" else "output", ""),
            state.get("title", ""),
            state.get("metadata", {}),
            state.get("attachments", []),
        )


@dataclass(frozen=True)
class Run:
    """One `opencode run`, over.

    Args:
        tools: tool calls in the order they ended.
        texts: what the model said.
        requests: what reached the model.
        exit_code: of the process; None when it had to be killed after RUN_SECONDS.
    """

    tools: list[ToolUse]
    texts: list[str]
    requests: list[ModelRequest]
    exit_code: int | None
    stdout: str
    stderr: str

    @property
    def session(self) -> str:
        """Id of the session."""
        return next(event["sessionID"] for line in self.stdout.splitlines() if (event := _json(line)) is not None)

    @property
    def only(self) -> ToolUse:
        """The one tool call there was."""
        assert len(self.tools) == 1, self
        return self.tools[0]


@dataclass
class OpenCodeHome:
    """A home folder for OpenCode, with nothing of this machine's user in it.

    Args:
        folder: an empty folder; `home/` and `project/` are made in it.
        binary: OpenCode's executable.
        config: written as the user's own opencode.json, above the scripted provider.
        plugin: a plugin file, loaded through that configuration.
        environment: variables of OpenCode's process, above a minimal set.
        images: the scripted model takes images and PDF; OpenCode sends it a word in their place otherwise.
    """

    folder: Path
    binary: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    plugin: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    images: bool = False

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        self.project.mkdir()
        self.config_folder.mkdir(parents=True)

    @property
    def home(self) -> Path:
        """HOME."""
        return self.folder / "home"

    @property
    def project(self) -> Path:
        """The local folder OpenCode is started in, unless a launcher chooses another."""
        return self.folder / "project"

    @property
    def config_folder(self) -> Path:
        """The user's own configuration folder of OpenCode."""
        return self.home / ".config" / "opencode"

    def write_config(self, base_url: str) -> None:
        """Write the user's own configuration, with the scripted model at `base_url`."""
        config = {**provider_config(base_url, (MODEL_ID, PATCH_MODEL)), **self.config}
        if self.images:
            for model in config["provider"]["scripted"]["models"].values():
                model["modalities"] = {"input": ["text", "image", "pdf"], "output": ["text"]}
        if self.plugin is not None:
            config["plugin"] = [self.plugin.as_uri()]
        (self.config_folder / "opencode.json").write_text(json.dumps(config), encoding="utf-8")

    def variables(self, folder: Path) -> dict[str, str]:
        """The environment of a process started in `folder`."""
        return {
            "PATH": os.pathsep.join([str(self.binary.parent), os.environ["PATH"]]),
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_DATA_HOME": str(self.home / ".local" / "share"),
            "XDG_STATE_HOME": str(self.home / ".local" / "state"),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "PYBRIDGE_PYTHON": sys.executable,
            **QUIET,
            **NO_REGISTRY,
            **self.environment,
            "PWD": str(folder),
        }

    def install(self) -> None:
        """`pybridge install`, as this home's user."""
        subprocess.run(
            [sys.executable, "-m", "pybridge", "install"],
            cwd=self.project,
            env=self.variables(self.project),
            capture_output=True,
            timeout=100,
            check=True,
        )

    def run(
        self,
        turns: Sequence[Turn],
        *,
        model: str = MODEL_ID,
        launcher: Sequence[str] = (),
        arguments: Sequence[str] = (),
        prompt: str = "Do what the script says.",
    ) -> Run:
        """`opencode run` once, to its end.

        Args:
            turns: what the model answers.
            model: the model id to ask for.
            launcher: what to run instead of OpenCode itself, up to OpenCode's own arguments.
            arguments: further arguments of `opencode run`.
            prompt: what the user asks.
        """
        with ModelServer(turns) as server:
            self.write_config(server.base_url)
            command = [*(launcher or [str(self.binary)]), "run", "--format", "json"]
            command += ["--model", f"scripted/{model}", *arguments, prompt]
            process = subprocess.Popen(
                command,
                cwd=self.project,
                env=self.variables(self.project),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            try:
                stdout, stderr = process.communicate(timeout=RUN_SECONDS)
                code: int | None = process.returncode
            except subprocess.TimeoutExpired:
                end_group(process)
                stdout, stderr = process.communicate()
                code = None
            events = [event for line in stdout.splitlines() if (event := _json(line)) is not None]
            return Run(
                [ToolUse.from_part(event["part"]) for event in events if event.get("type") == "tool_use"],
                [event["part"]["text"] for event in events if event.get("type") == "text"],
                server.requests,
                code,
                stdout,
                stderr,
            )


def end_group(process: subprocess.Popen[Any]) -> None:
    """Kill a process started with `start_new_session`, and everything of its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _json(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
