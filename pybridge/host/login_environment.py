"""The environment of a login on the remote, captured once: what nvm, pyenv and ~/.profile set up.

The login shell, fish and csh too, is started as a login and interactive shell (where such lines usually live), its own
output thrown away, and asked for `export -p` of a POSIX sh: text that any sh reads back. What never comes, or comes too
late, is done without, and ended with all it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import posixpath
import re
from dataclasses import dataclass
from itertools import zip_longest

from pybridge.errors import ConnectionLostError, RemoteError
from pybridge.host.framing import decode_text, encode_text, new_marker, quote
from pybridge.host.guard import guard_functions
from pybridge.host.login_shell import START_COMMAND
from pybridge.host.shell_carrier import ShellCarrier
from pybridge.transport.process import Stream

log = logging.getLogger(__name__)

DEADLINE = 5.0
_LAST_STEPS = 1.0
_MOST_BYTES = 1024 * 1024
_EXPORT = re.compile(r"(?:export|declare -x|typeset -x) ([A-Za-z_][A-Za-z0-9_]*)(=|$)", re.MULTILINE)
_NOT_OURS = frozenset({"PWD", "OLDPWD", "SHLVL", "_", "TERM", "LC_ALL", "PS1", "PS2", "PB_NONE"}) | {
    # Read-only in one shell or another, which would end over the attempt to set them.
    *("SHELLOPTS", "BASHOPTS", "BASH_VERSINFO", "UID", "EUID", "GID", "EGID", "PPID", "LINENO"),
}


@dataclass(frozen=True)
class LoginEnvironment:
    """What a login gives to commands.

    Args:
        exports: POSIX sh text that sets the environment.
        rg: path of ripgrep on the login's PATH, or None.
        umask: the login's umask, or None.
        how: "login" when it was captured, "none" when not.
        why: why it was not, for a person.
    """

    exports: str = ""
    rg: str | None = None
    umask: int | None = None
    how: str = "none"
    why: str = ""


_POSIX = frozenset({"bash", "zsh", "sh", "dash", "ash", "ksh", "ksh93", "ksh88", "mksh", "lksh", "oksh", "yash"})
_CSH = frozenset({"csh", "tcsh", "bsd-csh"})


def login_scripts(shell: str, command: str) -> tuple[str, str]:
    """POSIX sh text that logs in, interactively or at least plainly, and runs a command there.

    It is the user's own shell where that is known; else bash if it is there, else sh.

    Args:
        shell: path of the user's login shell, may be empty.
        command: one that sh, fish and csh read alike, without `exec`, which start-up files may have made an alias.
    """
    name, program, word = posixpath.basename(shell), quote(shell), quote(command)
    if name in _CSH:
        # csh takes -l only alone, and does not count as interactive with -c.
        text = f"<<'PB_LOGIN'\n\nif (-r ~/.login) source ~/.login\n{command} </dev/null\nexit\nPB_LOGIN\n"
        return f"exec {program} -i 2>/dev/null {text}", f"exec {program} 2>/dev/null {text}"
    find = ""
    if name not in _POSIX and name != "fish":
        find, program = "pb_l=/bin/sh; command -v bash >/dev/null && pb_l=bash\n", "$pb_l"
    ending = f"{word} </dev/null 2>/dev/null\n"
    return f"{find}exec {program} -l -i -c {ending}", f"{find}exec {program} -l -c {ending}"


async def capture(
    carrier: ShellCarrier, shell: str, *, leads: bool = False, deadline: float = DEADLINE, again: bool = False
) -> LoginEnvironment:
    """The login environment; an empty one if it cannot be had within `deadline` seconds a try.

    Args:
        carrier: where to log in.
        shell: path of the user's login shell, may be empty.
        leads: a channel's shell leads its session, so that all of a login that does not end can be ended.
        deadline: seconds for each of the two tries (interactive login, plain login).
        again: the connection has been lost over this once, and somebody waits: connect, and do without it if it is
            lost once more (the login itself may be what ends it).

    Raises:
        ConnectionLostError: the connection was lost, for the first time.
    """
    why = ""
    for interactive in (True, False):
        try:
            async with asyncio.timeout(deadline):
                found = await _try(carrier, shell, interactive, leads=leads, reconnect=again)
        except (TimeoutError, RemoteError) as error:
            if isinstance(error, ConnectionLostError) and not again:
                raise
            log.info("login environment: %s (interactive: %s) gave %s", shell, interactive, type(error).__name__)
            why = f"it takes more than {deadline:g} s" if isinstance(error, TimeoutError) else str(error)
            continue
        if found is not None:
            return found
        why = "the login shell, or its start-up files, end before they say it"
    return LoginEnvironment(why=why)


async def _try(
    carrier: ShellCarrier, shell: str, interactive: bool, *, leads: bool, reconnect: bool
) -> LoginEnvironment | None:
    marker = new_marker()
    inner = (
        f"printf '\\n%s\\n' {marker}; command -v rg; printf '\\n%s\\n' {marker}; umask; "
        f"printf '\\n%s\\n' {marker}; export -p; printf '\\n%s\\n' {marker}"
    )
    # Quoted in a way that fish and csh read as sh does.
    script = login_scripts(shell, f"/bin/sh -c {quote(inner)}")[0 if interactive else 1]
    # Under the guard: a start-up file that never ends would go on there, with whatever it started, when we have let go.
    script = f"\n{guard_functions()}\n{{\nTERM=dumb; export TERM\npb_guard {leads:d}\n{script}}}\n"
    output = bytearray()
    closing = f"\n{marker}\n".encode()
    found = searched = 0
    async with carrier.short(START_COMMAND, stdin=encode_text(script), reconnect=reconnect) as process:
        while found < 4 and (piece := await process.read()) is not None:
            if piece[0] is Stream.STDOUT:
                output += piece[1]
            while (at := output.find(closing, searched)) >= 0:
                found, searched = found + 1, at + len(closing)
            if not found:
                del output[: -len(closing)]  # what start-up files print, however much
            elif len(output) > _MOST_BYTES:
                return None
            else:
                searched = max(searched, len(output) - len(closing) + 1)
        if found >= 4:
            # It is about to end by itself; the guard would also end what start-up files left running on purpose.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_STEPS):
                    await process.wait_exit()
    parts = bytes(output).split(closing, 4)
    if len(parts) != 5:
        return None
    umask = decode_text(parts[2]).strip()
    rg = decode_text(parts[1]).strip()
    return LoginEnvironment(
        exports=only_variables(decode_text(parts[3])),
        rg=rg if rg.startswith("/") and "\0" not in rg and "\n" not in rg else None,
        umask=int(umask, 8) if re.fullmatch(r"[0-7]{1,4}", umask) else None,
        how="login",
    )


def only_variables(exports: str) -> str:
    """The output of `export -p` less the variables that belong to one shell process and not to a login."""
    starts = list(_EXPORT.finditer(exports))
    kept = []
    for found, following in zip_longest(starts, starts[1:]):
        if found.start() > 0 and exports[found.start() - 1] != "\n":
            continue
        if found[1] in _NOT_OURS or found[2] != "=":
            continue
        text = exports[found.start() : following.start() if following else len(exports)].rstrip("\n")
        kept.append("export " + text.split(" ", 1)[1].removeprefix("-x "))
    return "\n".join(kept)
