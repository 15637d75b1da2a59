"""How a POSIX sh is started through whatever login shell the remote user has, and what to say where that fails.

A server hands every command to the user's login shell, or to what ForceCommand names. Most take `exec /bin/sh`, and it
is the best way: under OpenSSH the shell so started leads the channel's session. A restricted shell takes no `exec` and
no slash, and a wrapper that runs its words itself knows programs only: for these there are other ways to say it.
"""

from __future__ import annotations

from collections.abc import Iterable

from pybridge.errors import ConnectionLostError, ProbeError, RemoteError, RemoteTimeoutError
from pybridge.transport.process import ExitStatus

START_COMMAND = "exec /bin/sh"
"""Read alike by sh, bash, zsh, ksh, fish and csh."""

OTHER_WAYS = ("/bin/sh", "sh")
"""For a wrapper that knows no builtins, and for a restricted shell."""

_MOST_NOISE = 32 * 1024 * 1024
_HEAD_BYTES = 4096
_MOST_TOLD = 600
_LINES_TOLD = 12


class NoShellError(ProbeError):
    """The login did not lead to a POSIX sh.

    Args:
        told: what it wrote instead.
    """

    def __init__(self, message: str, *, next_step: str, told: bytes) -> None:
        super().__init__(message, next_step=next_step)
        self.told = told

    @property
    def may_take_another_way(self) -> bool:
        """The answer is about our own words, so they are what is wrong. (A menu is not asked again.)"""
        return b"exec" in self.told or b"/bin/sh" in self.told


class LoginNoise:
    """What a login writes to one stream before the shell begins to answer.

    Args:
        begin: the line the shell begins with.
    """

    def __init__(self, begin: str) -> None:
        self._begin = begin.encode() + b"\n"
        self._tail = bytearray()
        self._length = 0
        self._over = False
        self.head = bytearray()
        """Its first bytes."""

    def take(self, data: bytes) -> bytes:
        """What of `data` comes after it.

        Raises:
            NoShellError: there is no end of it.
        """
        if self._over:
            return data
        self.head += data[: _HEAD_BYTES - len(self.head)]
        self._length += len(data)
        self._tail += data
        at = self._tail.find(self._begin)
        if at >= 0:
            self._over = True
            del self.head[max(0, self._length - len(self._tail)) + at :]
            return bytes(self._tail[at + len(self._begin) :])
        del self._tail[: -len(self._begin)]
        if self._length > _MOST_NOISE:
            raise _no_shell(f"it writes without end, {_MOST_NOISE >> 20} MB until now", bytes(self.head))
        return b""


def ended_without_shell(status: ExitStatus, noise: Iterable[LoginNoise]) -> RemoteError:
    """The error for a login that ended where a shell should have answered.

    Args:
        status: how it ended.
        noise: what it wrote.
    """
    if status.code is None:
        return ConnectionLostError("the remote shell ended before it had answered")
    return _no_shell(f"it ended with exit code {status.code}", _heads(noise))


def timed_out_without_shell(timeout: float, noise: Iterable[LoginNoise]) -> RemoteError:
    """The error for a login that has not led to a shell within `timeout` seconds."""
    told = _heads(noise)
    if told.strip():
        return _no_shell(f"within {timeout:g} s no shell answered", told)
    return RemoteTimeoutError(
        f"the remote did not answer within {timeout:g} s",
        next_step="The link or the machine may be overloaded; the next call tries again. If it never works, the"
        f" account's login shell or its start-up files wait for something: try `ssh HOST '{START_COMMAND}'` by hand.",
    )


def no_posix_shell() -> NoShellError:
    """The error for a shell that reads our words otherwise than sh does."""
    return NoShellError(
        "The login on the remote leads to no POSIX shell: what answers reads commands otherwise than sh does.",
        next_step="A start-up file that non-interactive shells read too (~/.bashrc, ~/.zshenv) may replace the shell,"
        " as `exec zsh` does. Let it do so only where the shell is interactive.",
        told=b"",
    )


def _heads(noise: Iterable[LoginNoise]) -> bytes:
    return b"\n".join(bytes(each.head) for each in noise)


def _no_shell(how: str, told: bytes) -> NoShellError:
    words = shown(told)
    if words:
        answer = f"{how}. What answered said:\n{words}"
        step = (
            "That is a menu, a restricted shell, an account that is switched off, or a start-up file that fails."
            f" pybridge needs an account in which `ssh HOST '{START_COMMAND}'` starts a POSIX shell."
        )
    else:
        answer = f"{how}, and said nothing."
        step = (
            "The account may be for file transfers only (ForceCommand internal-sftp), its login shell may be"
            " /bin/false, or a start-up file may end it."
            f" pybridge needs an account in which `ssh HOST '{START_COMMAND}'` starts a POSIX shell."
        )
    return NoShellError(f"The login on the remote leads to no POSIX shell: {answer}", next_step=step, told=told)


def shown(told: bytes) -> str:
    """What a login wrote, short and fit to be shown: no control characters, each line led by two spaces."""
    text = told.decode("utf-8", "replace").replace("\r", "\n")
    lines = ["".join(c for c in line if c.isprintable()).strip() for line in text.split("\n")]
    lines = [line for line in lines if line]
    kept = "\n".join(f"  {line}" for line in lines[:_LINES_TOLD])
    cut = len(lines) > _LINES_TOLD or len(kept) > _MOST_TOLD
    return kept[:_MOST_TOLD] + ("\n  ..." if cut else "")
