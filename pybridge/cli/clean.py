"""`pybridge clean`."""

from __future__ import annotations

from typing import Annotated

import typer

from pybridge.cli.console import confirm, human_size, narrate
from pybridge.cli.leftovers import print_sizes, removable, remove, undo_journal, young_outputs


def clean(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would be removed.")] = False,
    journal: Annotated[
        bool, typer.Option("--journal", help="Remove the undo journal too: nothing can be undone afterwards.")
    ] = False,
) -> None:
    """Remove mirrors, outputs kept for finished sessions, old logs, and FIFOs of launches that never got to OpenCode.

    Sessions at work only have to fetch again. Outputs of the last hour are kept: such a session may still read them.
    So is the journal that `pybridge undo` works by, unless --journal is given.
    """
    leftovers = removable()
    for recorded in undo_journal():
        if journal:
            leftovers.append(recorded)
        else:
            narrate(f"Kept: {human_size(recorded.size)} of undo journal (--journal removes it too): {recorded.path}")
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
