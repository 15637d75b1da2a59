"""Settling a change whose request was interrupted: all its files get their new content, or all keep the old (law 2).

The link may die, or a shell or a sidecar be killed, at any moment of a request. Whoever settles it, the same sidecar
over a new connection or the next one, first ends the remote shell that was to make it, if it still lives: a request
that lay in a silent link cannot be carried out later, after somebody was told that it was not. Then every file is
looked at, and the request is finished if that is still possible, else taken back. Only what was recorded locally before
it was made is ever touched.
"""

from __future__ import annotations

import enum
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pybridge.host.applying import Step
from pybridge.host.control_shell import ControlShell, ShellIdentity
from pybridge.host.facts import Facts, script
from pybridge.host.framing import quote
from pybridge.host.model import ABSENT, FileVersion
from pybridge.host.shells import ControlShells

TIMEOUT = 120.0


@dataclass(frozen=True)
class Leftover:
    """One file of an unfinished request.

    Args:
        path: the file as the tool named it.
        target: the file, symlinks resolved.
        temporaries: where new content may lie; each may have siblings whose names end in `-old` and `-was`.
        old_digest: `ALGORITHM:HEX` of the content before, or "absent".
        new_digest: likewise of the content after.
        top: the topmost of the folders that are made for it, or "" where none are.
    """

    path: str
    target: str
    temporaries: tuple[str, ...]
    old_digest: str
    new_digest: str
    top: str = ""


@dataclass(frozen=True)
class UnfinishedRequest:
    """A request that was recorded and not reported done.

    Args:
        key: names the record; letters and digits only.
        owner: the shell that was to make the change.
        leftovers: its files.
        fence: nobody waits for the shell any more, so that it may be ended; else only a dead one's work is settled.
    """

    key: str
    owner: ShellIdentity
    leftovers: tuple[Leftover, ...]
    fence: bool = True


class Settled(enum.Enum):
    """What became of a request."""

    ALIVE = "alive"  # its shell still lives and cannot be ended; nothing was touched
    MADE = "made"  # every file has its new content, and had it before
    NONE = "none"  # no file has: nothing was replaced
    FINISHED = "finished"  # a torn file was given its new content
    UNDONE = "undone"  # what was done was taken back
    KEPT = "kept"  # taken back but for some files that somebody has changed since


@dataclass(frozen=True)
class Settlement:
    """How a request was settled.

    Args:
        state: what became of it.
        kept: paths of the files that hold neither the old nor the new content: somebody has changed them since.
    """

    state: Settled
    kept: tuple[str, ...] = ()

    @property
    def is_made(self) -> bool:
        """Every file holds its new content."""
        return self.state in (Settled.MADE, Settled.FINISHED)

    @property
    def is_not_made(self) -> bool:
        """No file was changed, or none any more."""
        return self.state in (Settled.NONE, Settled.UNDONE)


def unfinished(steps: Sequence[Step], owner: ShellIdentity) -> UnfinishedRequest:
    """The record of a request that is about to be made."""
    return UnfinishedRequest(secrets.token_hex(8), owner, tuple(_leftover(step) for step in steps))


def _leftover(step: Step) -> Leftover:
    temporaries = tuple(path for path in (step.temporary, step.elsewhere) if path is not None)
    old, new = _text(step.change.expected), _text(step.version)
    return Leftover(step.change.path, step.real, temporaries, old, new, step.top)


def _text(version: FileVersion) -> str:
    return "absent" if version == ABSENT else version.digest


async def recover(
    shells: ControlShells | ControlShell, facts: Facts, requests: Sequence[UnfinishedRequest]
) -> dict[str, Settlement]:
    """Settle every request, in one round trip.

    Returns:
        What became of each, by key; one that the remote did not answer about is missing.

    Raises:
        ConnectionLostError, RemoteTimeoutError, ProtocolError: the remote could not be reached.
    """
    if not requests:
        return {}
    lines = [facts.settings, "trap '' HUP PIPE", _functions()]
    for request in requests:
        lines += _settling(request, facts)
    reply = await shells.request("\n".join(lines), timeout=TIMEOUT)
    return _parse(reply.stdout, {request.key: request for request in requests})


@cache
def _functions() -> str:
    return script("recover.sh").replace("@PROCESS_TREE@", script("process_tree.sh"))


def _settling(request: UnfinishedRequest, facts: Facts) -> list[str]:
    owner = f"{request.owner.pid} {quote(request.owner.started)} {quote(request.owner.boot_id)}"
    is_gone = f"pb_fence {owner} {facts.leads:d}" if request.fence else f"pb_gone {owner}"
    lines = [f"if ! {is_gone}; then printf '%s alive\\n' {request.key}; else"]
    for index, left in enumerate(request.leftovers):
        words = [quote(left.path), quote(left.target), _hex(left.old_digest), _hex(left.new_digest)]
        lines.append(f"pb_item {index} {' '.join(words)} {' '.join(map(quote, left.temporaries))}")
    lines.append(f"pb_settle {len(request.leftovers)}")
    # The last one goes first: folders may lie in those made before.
    for index, left in reversed(list(enumerate(request.leftovers))):
        lines.append(f"pb_clear {index} {quote(left.top)} {' '.join(map(quote, left.temporaries))}")
    lines.append(f'printf \'%s %s%s\\n\' {request.key} "${{pb_kept:+kept}}" "${{pb_kept:-$pb_result$pb_since}}"; fi')
    return lines


def _hex(digest: str) -> str:
    return quote(digest.partition(":")[2] or digest)


def _parse(output: bytes, requests: dict[str, UnfinishedRequest]) -> dict[str, Settlement]:
    states = {state.value: state for state in Settled}
    found: dict[str, Settlement] = {}
    for line in output.decode("ascii", "replace").split("\n"):
        key, _, words = line.partition(" ")
        state, *indices = words.split() or [""]
        if key not in requests or state not in states:
            continue
        leftovers = requests[key].leftovers
        kept = [int(i) for i in indices if i.isdecimal() and len(i) < 8 and int(i) < len(leftovers)]
        found[key] = Settlement(states[state], tuple(leftovers[i].path for i in kept))
    return found
