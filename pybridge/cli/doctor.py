"""`pybridge doctor`: what would happen, step by step, and what to do where it would not work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pybridge.cli.console import narrate, show
from pybridge.cli.env_file import read_env_file
from pybridge.cli.environment import hide_secrets, take_environment

if TYPE_CHECKING:
    from pybridge.cli.examination.finding import Finding


def doctor(
    report: Annotated[
        bool, typer.Option("--report", help="Print a report to paste into an issue, without secrets.")
    ] = False,
    env_file: Annotated[
        Path | None, typer.Option("--env-file", help="Read REMOTE_* from this file of NAME=value lines.")
    ] = None,
) -> None:
    """Check REMOTE_SSH and everything behind it: each step with a tick, or the error and the next step."""
    from pybridge.cli.examination.finding import State
    from pybridge.cli.examination.report import make_report

    env = {**take_environment(), **(read_env_file(env_file) if env_file else {})}
    hide_secrets(env)
    findings = asyncio.run(_examine(env, (lambda _: None) if report else (lambda finding: show(str(finding)))))
    if report:
        show(make_report(env, findings))
    failed = [finding for finding in findings if finding.state is State.BAD]
    if failed:
        narrate(f"pybridge: {len(failed)} of {len(findings)} checks failed, the first: {failed[0].name}.")
        raise typer.Exit(1)
    narrate("All is well: `pybridge launch` starts OpenCode there.")


async def _examine(env: Mapping[str, str], tell: Callable[[Finding], None]) -> list[Finding]:
    findings: list[Finding] = []
    async for finding in _findings(env):
        findings.append(finding)
        tell(finding)
    return findings


async def _findings(env: Mapping[str, str]) -> AsyncIterator[Finding]:
    from pybridge.cli.examination.local import examine_opencode, examine_plugin, examine_sidecar
    from pybridge.cli.examination.remote import examine_remote

    yield examine_opencode(env)
    yield examine_plugin(env)
    yield await examine_sidecar(env)
    async for finding in examine_remote(env):
        yield finding
