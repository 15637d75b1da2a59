"""`pybridge uninstall`: takes away what `pybridge install` put there, and with --purge what working left behind."""

from __future__ import annotations

import contextlib
import os
from typing import Annotated

import typer

from pybridge.cli.console import confirm, narrate, show
from pybridge.cli.install import Project, plugin_path
from pybridge.cli.leftovers import Leftover, everything, print_sizes, remove
from pybridge.cli.plugin_file import is_ours
from pybridge.errors import ConfigurationError, LocalStorageError


def uninstall(
    project: Project = False,
    purge: Annotated[
        bool, typer.Option("--purge", help="Also remove state, logs, mirrors and session folders.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove the file that `pybridge install` wrote, and only that; the package is removed by what installed it."""
    path = plugin_path(os.environ, project=project)
    if is_ours(path):
        try:
            path.unlink()
        except OSError as error:
            raise LocalStorageError(
                f"{path} cannot be removed: {error.strerror or error}.", next_step="Check the folder's permissions."
            ) from error
        show(f"Removed {path}")
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # only if it is empty
            if project:
                path.parent.parent.rmdir()
    elif path.exists():
        raise ConfigurationError(
            f"{path} is not from `pybridge install`; it was left as it is.",
            next_step="Remove it yourself if you do not want it.",
        )
    else:
        narrate(f"Nothing to remove: there is no {path}.")
    if purge:
        _purge(everything(), yes)


def _purge(leftovers: list[Leftover], yes: bool) -> None:
    if not leftovers:
        narrate("There is no state, log, mirror or session folder to remove.")
        return
    print_sizes(leftovers)
    if yes or confirm("Remove all of these? Sessions that are running now would lose their state."):
        remove(leftovers)
    else:
        narrate("Left as they are.")
        raise typer.Exit(1)
