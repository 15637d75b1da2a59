"""Putting right what a dead shell left on the remote: refills in place are finished or undone, temporaries removed.

Only what was recorded locally before it was made is ever touched, and only once its maker is known to be dead.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from pybridge.host.control_shell import ShellIdentity
from pybridge.host.facts import Facts, script
from pybridge.host.framing import quote
from pybridge.host.shells import ControlShells


@dataclass(frozen=True)
class Leftover:
    """One change that was recorded and never reported done.

    Args:
        key: names the record; letters, digits and `-` only.
        path: the file as the tool named it.
        target: the file, symlinks resolved.
        temporaries: where new content may lie; each may have a sibling whose name ends in `-old`.
        old_digest: `ALGORITHM:HEX` of the content before, or "absent".
        new_digest: likewise of the content after.
        owner: the shell that was to make the change.
    """

    key: str
    path: str
    target: str
    temporaries: tuple[str, ...]
    old_digest: str
    new_digest: str
    owner: ShellIdentity


class Recovered(enum.Enum):
    """What became of a leftover."""

    ALIVE = "alive"  # its maker still lives; nothing was touched
    CLEAN = "clean"  # the target was whole; temporaries, if any, are gone
    FINISHED = "finished"  # the target was torn and now holds the new content
    UNDONE = "undone"  # the target was torn and now holds the old content
    KEPT = "kept"  # the target holds something else; the temporaries were left beside it


async def recover(shells: ControlShells, facts: Facts, leftovers: Sequence[Leftover]) -> dict[str, Recovered]:
    """Put every leftover right, in one round trip.

    Returns:
        What became of each, by key; one that the remote did not answer about is missing.

    Raises:
        ConnectionLostError, RemoteTimeoutError, ProtocolError: the remote could not be reached.
    """
    if not leftovers:
        return {}
    lines = [facts.settings, script("recover.sh")]
    for left in leftovers:
        owner = left.owner
        words = [quote(left.target), _hex(left.old_digest), _hex(left.new_digest), *map(quote, left.temporaries)]
        lines.append(
            f"if pb_alive {owner.pid} {quote(owner.started)} {quote(owner.boot_id)}; then"
            f" printf '%s alive\\n' {left.key}; else pb_recover {left.key} {' '.join(words)}; fi"
        )
    reply = await shells.request("\n".join(lines), timeout=120.0)
    states = {state.value: state for state in Recovered}
    found: dict[str, Recovered] = {}
    for line in reply.stdout.decode("ascii", "replace").split("\n"):
        key, _, state = line.partition(" ")
        if state in states:
            found[key] = states[state]
    return found


def _hex(digest: str) -> str:
    return quote(digest.partition(":")[2] or digest)
