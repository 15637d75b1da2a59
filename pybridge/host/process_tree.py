"""Ending a command with everything it started, and nothing else (law 7).

Where the command leads its own session (an OpenSSH channel, or `setsid`), its session and process group are its tree,
also for children whose parent is gone. Elsewhere (dropbear without `setsid`) the group is the whole connection's, so
only descendants count. The processes found at the first signal are remembered with their start times: one that left
the tree meanwhile is still ended by the second, a stranger that got its number is not.
"""

from __future__ import annotations

import asyncio

from pybridge.host.facts import script
from pybridge.host.framing import decode_text
from pybridge.host.shells import ControlShells
from pybridge.host.sudo import Sudo

GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL, as OpenCode's own bash tool has it."""

_LOST_TIMEOUT = 15.0


async def end_tree(shells: ControlShells, pid: int, leads: bool, gone: asyncio.Event, sudo: Sudo | None = None) -> None:
    """SIGTERM to the whole tree of `pid`, then SIGKILL to what is left of it.

    Args:
        shells: of the host the process runs on.
        pid: the command's first process.
        leads: it leads its own session.
        gone: set once the command and its streams have ended; cuts the grace short.
        sudo: what the command was given for sudo: what that started may be ended by root alone.

    Raises:
        RemoteError: the remote could not be reached to do it.
    """
    before, after = (f"{sudo.settings}\n", f"\n{sudo.clearing(pid)}") if sudo else ("", "")
    seen = await _signal(shells, f"{before}PB_PID={pid} PB_LEADS={leads:d} PB_SIGNAL=TERM PB_ONLY=''\n{_tree()}")
    try:
        async with asyncio.timeout(GRACE):
            await gone.wait()
    except TimeoutError:
        pass
    request = f"{before}PB_PID={pid} PB_LEADS={leads:d} PB_SIGNAL=KILL PB_ONLY='{seen}'\n{_tree()}{after}"
    await _signal(shells, request)


async def end_lost_tree(shells: ControlShells, pid: int, started: str, leads: bool, sudo: Sudo | None = None) -> None:
    """End the tree of a process of an earlier connection, if it still is that process: SIGTERM, then SIGKILL.

    Args:
        shells: of the host the process ran on.
        pid: the command's first process.
        started: its start time as /proc has it.
        leads: it leads its own session.
        sudo: what the command was given for sudo.

    Raises:
        RemoteError: the remote could not be reached to do it.
    """
    before, after = (f"{sudo.settings}\n", f"\n{sudo.clearing(pid)}") if sudo else ("", "")
    request = f"""{before}pb_lives() {{
  [ -r /proc/{pid}/stat ] || return 1
  read -r pb_l < /proc/{pid}/stat
  set -- ${{pb_l##*\\) }}
  [ "$1" != Z ] && [ "${{20}}" = {started} ]
}}
pb_end() {{ {_tree()}
}}
if pb_lives; then
  PB_PID={pid} PB_LEADS={leads:d} PB_SIGNAL=TERM PB_ONLY=
  PB_ONLY=$(pb_end)
  for pb_n in {" ".join(str(second) for second in range(int(GRACE)))}; do
    pb_lives || break
    sleep 1
  done
  PB_SIGNAL=KILL
  pb_end{after}
fi"""
    await shells.request(request, timeout=_LOST_TIMEOUT, retry=True)


def _tree() -> str:
    # In a subshell: it ends with exit.
    return f"(\n{script('process_tree.sh')}\n)"


async def _signal(shells: ControlShells, request: str) -> str:
    reply = await shells.request(request, retry=True)
    words = decode_text(reply.stdout).split()
    return " ".join(word for word in words if all(c.isdigit() or c in ":-" for c in word))
