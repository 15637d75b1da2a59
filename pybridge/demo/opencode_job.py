"""The demo's job through the real OpenCode: a scripted model calls the tools, OpenCode and pybridge do the rest."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pybridge.demo.failure import DemoError
from pybridge.demo.job import Outcome, Step, complaint, job
from pybridge.demo.model_server import ModelServer, ToolCall, Turn, provider_config, say
from pybridge.demo.printing import Printer
from pybridge.demo.scratch import scratch_environment

RUN_SECONDS = 240.0
"""How long one run of OpenCode may take."""

EDITOR_MODEL = "scripted-editor"
"""A model id for which OpenCode offers edit and write."""

PATCHER_MODEL = "scripted-gpt-5-patcher"
"""A model id for which OpenCode offers apply_patch instead of edit and write."""

QUIET = {
    f"OPENCODE_DISABLE_{name}": "1"
    for name in ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "SHARE", "DEFAULT_PLUGINS")
}
"""Variables that keep OpenCode from going to the network by itself."""

NO_REGISTRY = {"npm_config_registry": "http://127.0.0.1:9/", "npm_config_fetch_retries": "0"}
"""Variables that make the installation of packages, which OpenCode waits for and nobody here needs, fail at once."""


async def run(
    binary: Path,
    settings: Mapping[str, str],
    home: Path,
    workdir: Path,
    printer: Printer,
    launcher: Sequence[str] | None = None,
) -> None:
    """Do the job through OpenCode, started by `pybridge launch` in a home folder of its own.

    OpenCode offers either edit and write or apply_patch, by the model's name, so two models take turns.

    Args:
        binary: OpenCode's executable.
        settings: REMOTE_* variables.
        home: folder to use as home; everything OpenCode keeps lands there.
        workdir: the sample project on the remote.
        printer: shows each step as OpenCode reports it.
        launcher: command that starts OpenCode, up to its own arguments; `pybridge launch --` unless given.

    Raises:
        DemoError: a step gave the wrong result, or OpenCode ended before it.
    """
    printer.line(f"The same job through the real OpenCode ({binary}), with a scripted model:")
    printer.line()
    command = [sys.executable, "-m", "pybridge", "launch", "--"] if launcher is None else list(launcher)
    environment = {**scratch_environment(home), **QUIET, **NO_REGISTRY, **settings}
    environment["PATH"] = os.pathsep.join([str(binary.parent), environment.get("PATH", os.defpath)])
    steps = job(str(workdir))
    patch = next(index for index, step in enumerate(steps) if step.tool == "apply_patch")
    with ModelServer() as model:
        config = home / ".config" / "opencode" / "opencode.json"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(json.dumps(provider_config(model.base_url, (EDITOR_MODEL, PATCHER_MODEL))), encoding="utf-8")
        run = _Run(command, environment, printer, len(steps))
        for name, first, part in ((EDITOR_MODEL, 1, steps[:patch]), (PATCHER_MODEL, patch + 1, steps[patch:])):
            model.play([*(Turn(calls=(ToolCall(step.tool, step.arguments),)) for step in part), say("Done.")])
            await run.play(name, first, part)


class _Run:
    """`opencode run` with one part of the job."""

    def __init__(self, command: list[str], environment: dict[str, str], printer: Printer, total: int) -> None:
        self._command = command
        self._environment = environment
        self._printer = printer
        self._total = total

    async def play(self, model: str, first: int, steps: list[Step]) -> None:
        """Run OpenCode once and show each step as it is reported; `first` is the number of the first one."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *("run", "--format", "json", "--model", f"scripted/{model}", "Find the bug, fix it, tidy up."),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
            limit=64 * 1024 * 1024,
            start_new_session=True,
        )
        assert process.stdout is not None and process.stderr is not None
        errors = asyncio.create_task(process.stderr.read())
        done = 0
        try:
            async with asyncio.timeout(RUN_SECONDS):
                while line := await process.stdout.readline():
                    state = _tool_state(line)
                    if state is None or done >= len(steps):
                        continue
                    self._show(first + done, steps[done], state)
                    done += 1
                await process.wait()
            said = (await errors).decode(errors="replace").strip()
        except TimeoutError:
            said = f"OpenCode was not done within {RUN_SECONDS:.0f} s"
        finally:
            errors.cancel()
            await _end(process)
        if done < len(steps):
            step = steps[done]
            ended = f"OpenCode ended (exit code {process.returncode}) before it:\n{said[-2000:]}\n"
            raise DemoError.in_step(first + done, step.tool, ended)

    def _show(self, number: int, step: Step, state: dict[str, Any]) -> None:
        failed = state["status"] == "error"
        times = state.get("time", {})
        outcome = Outcome(
            str(state.get("error") if failed else state.get("output")),
            failed,
            (times.get("end", 0) - times.get("start", 0)) / 1000,
        )
        self._printer.announce(number, self._total, step)
        self._printer.result(step, outcome)
        if wrong := complaint(step, outcome):
            raise DemoError.in_step(number, step.tool, wrong)


def _tool_state(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event["part"]["state"] if event.get("type") == "tool_use" else None


async def _end(process: asyncio.subprocess.Process) -> None:
    """End what is left of a run: OpenCode and everything it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), 10)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
