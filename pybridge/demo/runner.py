"""`pybridge demo`: the whole path, from a tool call to a changed file on the other side, on one machine."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from pathlib import Path
from typing import TextIO

from pybridge.demo import opencode_binary, opencode_job, sample_project
from pybridge.demo.delay_proxy import DelayProxy
from pybridge.demo.embedded_server import EmbeddedServer
from pybridge.demo.failure import DemoError
from pybridge.demo.job import Outcome, Step, complaint, job
from pybridge.demo.printing import Printer
from pybridge.demo.scratch import scratch_environment
from pybridge.demo.sidecar_client import CallError, SidecarClient

STEP_SECONDS = 60.0
"""How long one step may take before the demo gives up."""


def run_demo(*, opencode: bool = False, latency_ms: int = 0, out: TextIO | None = None) -> None:
    """Show the seven tools at work on an SSH server of the demo's own, then remove everything again.

    Args:
        opencode: also do the job through the real OpenCode; where it is not on PATH, install it by npm into a cache
            folder of ours. Without it, that part runs only if OpenCode is on PATH.
        latency_ms: round-trip time to put between the tools and the server, in milliseconds.
        out: where to print; standard output unless given.

    Raises:
        DemoError: a step failed; the message says which one and what to do.
    """
    if os.name != "posix":
        raise DemoError(
            "The demo's own SSH server needs a POSIX shell, which Windows has not.",
            next_step="Run it in WSL, or try a host of your own: set REMOTE_SSH and run `pybridge doctor`.",
        )
    asyncio.run(_run(opencode, latency_ms, Printer(out)))


async def _run(opencode: bool, latency_ms: int, printer: Printer) -> None:
    # asyncio warns on standard error when OpenCode drops its connection in the middle of an answer; that is its right.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    binary = await opencode_binary.find(printer, install=opencode)
    async with EmbeddedServer() as server, DelayProxy(server.port, latency_ms / 2000) as proxy:
        port = server.port
        if latency_ms:
            port = proxy.port
            server.trust(port)
        printer.line("An SSH server on this machine plays the remote; every step below acts on it over SSH.")
        printer.line(f"  server    127.0.0.1, port {port}, throw-away keys, round trip + {latency_ms} ms")
        printer.line(f"  ssh       REMOTE_SSH='{server.remote_ssh(port)}'")
        printer.line()
        direct = _project(server, "direct")
        settings = {"REMOTE_SSH": server.remote_ssh(port), "REMOTE_WORKDIR": str(direct)}
        await _through_sidecar(settings, server.folder / "client", direct, printer)
        if binary is not None:
            through = _project(server, "opencode")
            settings["REMOTE_WORKDIR"] = str(through)
            await opencode_job.run(binary, settings, server.folder / "opencode", through, printer)
    _farewell(printer, binary is not None)


def _project(server: EmbeddedServer, name: str) -> Path:
    """Make the sample project and, beside it, a copy to compare with."""
    parent = server.work.resolve() / name
    sample_project.create(parent / "before")
    sample_project.create(parent / "project")
    return parent / "project"


async def _through_sidecar(settings: dict[str, str], home: Path, workdir: Path, printer: Printer) -> None:
    printer.line("The job, done by the tools without OpenCode:")
    printer.line()
    steps = job(str(workdir))
    try:
        async with SidecarClient(settings, scratch_environment(home)) as client:
            for number, step in enumerate(steps, 1):
                printer.announce(number, len(steps), step)
                outcome = await _call(client, step, number)
                printer.result(step, outcome)
                if wrong := complaint(step, outcome):
                    raise DemoError.in_step(number, step.tool, wrong)
    except CallError as error:
        raise DemoError(
            f"The sidecar, the process that runs the tools, did not start.\n{error.message}",
            next_step="Run `pybridge doctor`; if it stays, report it with the output of `pybridge doctor --report`.",
        ) from error


async def _call(client: SidecarClient, step: Step, number: int) -> Outcome:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(STEP_SECONDS):
            result = await client.call(step.tool, step.arguments, number)
    except CallError as error:
        return Outcome(error.message, True, time.perf_counter() - started)
    except TimeoutError:
        raise DemoError.in_step(number, step.tool, f"there was no answer within {STEP_SECONDS:.0f} s") from None
    return Outcome(str(result["output"]), False, time.perf_counter() - started)


def _farewell(printer: Printer, with_opencode: bool) -> None:
    how = "twice, without and with the real OpenCode" if with_opencode else "by OpenCode's seven tools"
    printer.line(f"Shown: a bug found, fixed, refactored and tested over SSH, {how}.")
    printer.line("Nothing was installed on the remote. The server, its keys and the project are removed again.")
    printer.line()
    printer.line("Next, with a host of your own:")
    if shutil.which("pybridge") is None:
        printer.line("  pipx install .                       # or: uv tool install . (gives you `pybridge`)")
    printer.line("  export REMOTE_SSH='user@host'        # what you would type after ssh")
    printer.line("  export REMOTE_WORKDIR='~/project'    # a folder there")
    printer.line("  pybridge doctor                      # what would happen, with a tick or the next step")
    printer.line("  pybridge launch                      # OpenCode, working there")
    if not with_opencode:
        printer.line("Or this demo through the real OpenCode: OPENCODE=1 make demo")
