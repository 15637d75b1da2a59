"""`pybridge demo`."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    opencode: Annotated[
        bool, typer.Option("--opencode", help="Through the real OpenCode too, which npm installs if it is not on PATH.")
    ] = False,
    latency: Annotated[
        int, typer.Option(help="Round-trip time to the demo's server, in milliseconds.", min=0, max=10_000)
    ] = 0,
) -> None:
    """See the tools work, on an SSH server of the demo's own on this machine.

    With opencode on PATH, the demo does the job a second time through it, with or without --opencode.
    """
    from pybridge.demo.runner import run_demo

    run_demo(opencode=opencode, latency_ms=latency)
