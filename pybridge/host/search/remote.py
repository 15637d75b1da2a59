"""What a search needs of the rest of the room: one script run on the remote, and what the remote has."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shlex
import time
from collections.abc import Sequence
from typing import Protocol

from pybridge.errors import (
    CancelledByUserError,
    FilePermissionError,
    NotDirectoryError,
    RemoteTimeoutError,
    SearchError,
    SearchRootError,
)

KILL_PATIENCE = 5.0
"""Seconds that the runner has, once told to abort, to answer before it is no longer waited for."""


class ScriptOutput(Protocol):
    """What a script left behind. `code` is None when it was killed; `truncated` when its output reached `max_bytes`."""

    @property
    def stdout(self) -> bytes: ...
    @property
    def stderr(self) -> bytes: ...
    @property
    def code(self) -> int | None: ...
    @property
    def truncated(self) -> bool: ...


class ScriptRunner(Protocol):
    """Runs a POSIX sh script on the remote in a process of its own."""

    async def __call__(self, script: str, *, abort: asyncio.Event | None, max_bytes: int) -> ScriptOutput:
        """Run it to its end, until `abort` is set, or until `max_bytes` of output came; then all of it is killed."""
        ...


class Facts(Protocol):
    """What the probe found out about the remote."""

    @property
    def rg(self) -> str | None: ...  # path of ripgrep
    @property
    def gnu_find(self) -> bool: ...  # find -printf works
    @property
    def stat(self) -> str: ...  # the dialect of stat: "gnu" (busybox too), "bsd", or "" for none
    @property
    def stat_gnu(self) -> bool: ...  # stat is GNU's own
    @property
    def grep_gnu(self) -> bool: ...
    @property
    def tools(self) -> frozenset[str]: ...  # names of the commands there are
    @property
    def git(self) -> bool: ...
    @property
    def digest(self) -> str: ...  # name of the checksum program, empty for none


class SearchScript:
    """Builds and runs one search: its random marker, its beginning, its deadline, its refusals.

    Args:
        run: the script runner.
        root: remote absolute path that the search is about.
        abort: the user's abort.
        timeout: seconds until the search is killed.
        within: real paths of the folders that the root must lie in to be searched; None for anywhere.
    """

    def __init__(
        self,
        run: ScriptRunner,
        root: str,
        abort: asyncio.Event | None,
        timeout: float,
        *,
        within: Sequence[str] | None = None,
    ) -> None:
        if not root.startswith("/"):
            raise SearchError(f"The search folder must be an absolute path, not {root!r}.")
        if "\0" in root:
            raise SearchError("A path cannot contain a NUL character.")
        self.root = root
        self.marker = f"@{secrets.token_hex(12)}@"
        self._within = within
        self._run = run
        self._abort = abort
        self._deadline = asyncio.get_running_loop().time() + timeout
        self._timeout = timeout
        self._thinking_ends = time.monotonic() + timeout

    def enter(self) -> str:
        """The beginning of a script: `$R` is the root, `$M` the marker, `$F` a file root's path or `.`."""
        return f"""\
LC_ALL=C; export LC_ALL
M={shlex.quote(self.marker)}
R={shlex.quote(self.root)}
refuse() {{ printf '%srefused %s\\n' "$M" "$1" >&2; exit 1; }}
F=.
if [ -d "$R" ]; then cd "$R" 2>/dev/null && [ -r . ] || refuse permission
elif [ -f "$R" ]; then F=$R; cd / || refuse permission; [ -r "$F" ] || refuse permission
elif [ -e "$R" ]; then refuse special
else refuse missing; fi
{self._stay()}"""

    def _stay(self) -> str:
        """The part of the beginning that goes on only if the root really lies where it must."""
        if self._within is None:
            return ""
        inside = "|".join(f"{shlex.quote(folder.rstrip('/'))}/*" for folder in self._within) or "''"
        return f"""\
if [ "$F" = . ]; then W=$(pwd -P; echo .)
elif [ -h "$F" ]; then refuse elsewhere
else W=$(cd "${{F%/*}}/" && pwd -P; echo .); fi
case ${{W%??}}/ in {inside}) ;; *) refuse elsewhere ;; esac
"""

    def absolute(self, relative: bytes) -> str:
        """The remote absolute path of what the remote calls `./relative`, or of the root itself if that is a file."""
        path = decode_path(relative)
        return path if path.startswith("/") else f"{self.root.rstrip('/')}/{path.removeprefix('./')}"

    def go_on(self) -> bool:
        """True while there is time; asked from a thread that works through an answer.

        Raises:
            RemoteTimeoutError, CancelledByUserError: there is none any more.
        """
        if self._abort is not None and self._abort.is_set():
            raise CancelledByUserError("The search was aborted.")
        if time.monotonic() > self._thinking_ends:
            raise self._too_late()
        return True

    async def run(self, body: str, *, max_bytes: int) -> ScriptOutput:
        """Run `enter()` and `body`.

        Raises:
            SearchError: the root is missing or special.
            FilePermissionError: the root may not be read.
            RemoteTimeoutError, CancelledByUserError: the search was killed.
        """
        output = await self._bounded(self.enter() + body, max_bytes)
        for refusal in self.reports(output, "refused"):
            self._refuse(refusal, self.complaints(output))
        return output

    def reports(self, output: ScriptOutput, name: str) -> list[str]:
        """What the script said about `name` on standard error, apart from what its programs said."""
        prefix = f"{self.marker}{name} "
        lines = output.stderr.decode("utf-8", "replace").split("\n")
        return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]

    def complaints(self, output: ScriptOutput) -> str:
        """What the programs of the script said on standard error."""
        lines = output.stderr.decode("utf-8", "replace").split("\n")
        return "\n".join(line for line in lines if not line.startswith(self.marker)).strip()

    def _refuse(self, why: str, complaint: str) -> None:
        if self._within is not None and why != "pattern":
            raise SearchRootError(f"Not plainly in the workspace: {self.root}")
        if why == "missing":
            raise SearchError(f"No such file or directory: {self.root}", next_step="Check the path and search again.")
        if why == "permission":
            raise FilePermissionError(f"Permission denied: {self.root}", path=self.root)
        if why == "not-directory":
            raise NotDirectoryError(f"Not a directory: {self.root}", path=self.root)
        if why == "pattern":
            raise SearchError(f"The pattern cannot be used: {complaint}", next_step="Correct it and search again.")
        raise SearchError(f"Not a regular file or folder: {self.root}")

    async def _bounded(self, script: str, max_bytes: int) -> ScriptOutput:
        """Run the script until its end, the user's abort or the deadline, whichever comes first."""
        if self._abort is not None and self._abort.is_set():
            raise CancelledByUserError("The search was aborted.")
        stop = asyncio.Event()
        running = asyncio.ensure_future(self._run(script, abort=stop, max_bytes=max_bytes))
        aborted = None if self._abort is None else asyncio.ensure_future(self._abort.wait())
        waits: set[asyncio.Future] = {running} if aborted is None else {running, aborted}
        left = max(0.0, self._deadline - asyncio.get_running_loop().time())
        try:
            await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                return running.result()
            stop.set()
            await asyncio.wait({running}, timeout=KILL_PATIENCE)
            if aborted is not None and aborted.done():
                raise CancelledByUserError("The search was aborted.")
            raise self._too_late()
        finally:
            stop.set()
            for task in waits:
                if not task.done():
                    task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*waits, return_exceptions=True)

    def _too_late(self) -> RemoteTimeoutError:
        return RemoteTimeoutError(
            f"The search in {self.root} did not end within {self._timeout:g} seconds and was killed.",
            next_step="Search a smaller folder or use a more specific pattern.",
        )


def decode_path(path: bytes) -> str:
    """A remote path as text; bytes that are not UTF-8 survive the way back."""
    return path.decode("utf-8", "surrogateescape")


def quote(argument: str | bytes) -> str:
    """An argument quoted for sh.

    Raises:
        SearchError: it holds a NUL character, which no argument can.
    """
    text = decode_path(argument) if isinstance(argument, bytes) else argument
    if "\0" in text:
        raise SearchError("A search pattern cannot contain a NUL character.")
    return shlex.quote(text)
