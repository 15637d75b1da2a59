"""`pybridge clean`."""

from __future__ import annotations

from typing import Annotated

import typer

from pybridge.cli.console import confirm, narrate
from pybridge.cli.leftovers import print_sizes, removable, remove, young_outputs


def clean(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would be removed.")] = False,
) -> None:
    """Remove mirrors, outputs kept for finished sessions, old logs, and FIFOs of launches that never got to OpenCode.

    Sessions at work only have to fetch again. Outputs of the last hour are kept: such a session may still read them.
    """
    leftovers = removable()
    for path in young_outputs():
        narrate(f"Kept, because it is less than an hour old and a session may still read it: {path}")
    if not leftovers:
        narrate("There is nothing to clean.")
        return
    print_sizes(leftovers)
    if dry_run:
        return
    if yes or confirm("Remove all of these?"):
        remove(leftovers)
    else:
        narrate("Left as they are.")
        raise typer.Exit(1)
