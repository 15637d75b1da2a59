"""A guard beside each running command: it ends the command's tree if the connection does (law 7).

A server that loses its connection, or whose client was killed, closes the channels' streams and signals nobody: a
command would run on, unseen, while the next call may start the same work again.
"""

from __future__ import annotations

from pybridge.host.facts import script
from pybridge.host.process_tree import GRACE

LINGER = 5.0
"""Seconds after a command's end in which a sudo it left in the background is still given the password."""


def guard_functions() -> str:
    """POSIX sh functions; `pb_guard LEADS`, called right before a shell becomes a command, starts the guard."""
    guard = script("guard.sh").replace("@GRACE@", f"{GRACE:g}").replace("@LINGER@", f"{LINGER:g}")
    return guard.replace("@PROCESS_TREE@", script("process_tree.sh"))
