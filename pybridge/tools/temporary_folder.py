"""The folder for temporary work outside the workspace, on the remote.

OpenCode has one on its own machine, names it in bash's description and lets commands use it without asking. This is the
remote's: its path is made up at once, the folder at the first call that mentions it. It goes with the sidecar; if that
was killed, the next connection removes it.
"""

from __future__ import annotations

import asyncio
import logging
import posixpath
import re
from collections.abc import Mapping
from typing import Protocol

from pybridge.errors import FilePermissionError, RemoteError
from pybridge.host.framing import decode_text, quote
from pybridge.mirror.remote_paths import is_below
from pybridge.mirror.temporary_folders import TemporaryFolderRecords, new_name

log = logging.getLogger(__name__)

REMOVAL_SECONDS = 1.0
"""How long the sidecar's end waits for the folder to be gone."""

_PLAIN = re.compile(r"/[A-Za-z0-9_./+@%:=,-]*")


class ControlHost(Protocol):
    """What is used of a host; `pybridge.host.host.Host` provides it."""

    async def run_control(self, script: str, *, timeout: float = ...) -> bytes: ...


class TemporaryFolder:
    """One folder, not made before it is needed.

    Args:
        host: the machine.
        records: where it is recorded before it is made.
        parent: remote folder it is made in; None when nothing there can be written.
    """

    def __init__(self, host: ControlHost, records: TemporaryFolderRecords, parent: str | None) -> None:
        self._host = host
        self._records = records
        self._name = new_name()
        self._real: str | None = None
        self._there = False
        self._making = asyncio.Lock()
        # The path becomes part of a sentence to the model, and of its commands: no place for strange characters.
        plain = parent is not None and _PLAIN.fullmatch(parent) is not None
        self.path = posixpath.join(parent, self._name) if parent is not None and plain else None
        """Its remote absolute path; None where there is none."""

    def contains(self, real: str) -> bool:
        """Whether a real path is the folder or in it."""
        return self._real is not None and is_below(real, self._real)

    async def prepare(self, args: object) -> None:
        """Make the folder if a call's arguments mention it for the first time.

        Args:
            args: the call's arguments, decoded from JSON.

        Raises:
            FilePermissionError: it cannot be made.
            LocalStorageError: it cannot be recorded.
            RemoteError: the remote does not answer.
        """
        if self.path is None or self._there or not isinstance(args, Mapping):
            return
        if not any(isinstance(value, str) and self._name in value for value in args.values()):
            return
        async with self._making:
            if not self._there:
                self._real = await self._make(self.path)
                self._there = True

    def link_is_back(self) -> None:
        """Look for the folder again when it is next mentioned: the remote may have been restarted meanwhile."""
        self._there = False

    async def remove(self) -> None:
        """Remove the folder with all that is in it, if it was made. What fails is left to the next connection."""
        if self._real is None or self.path is None:
            return
        await remove_folder(self._host, self._records, self.path)

    async def _make(self, path: str) -> str:
        await asyncio.to_thread(self._records.begin, path)
        # It may be there already; a symlink in its place is none of ours.
        script = (
            f"(umask 077; mkdir {quote(path)} 2>/dev/null; "
            f"[ -d {quote(path)} ] && [ ! -h {quote(path)} ] && cd {quote(path)} 2>/dev/null && pwd -P); :"
        )
        real = decode_text(await self._host.run_control(script)).removesuffix("\n")
        if not real:
            raise FilePermissionError(
                f"The temporary folder {path} cannot be made on the remote.",
                path=path,
                next_step="Use another folder.",
            )
        return real


async def remove_folder(host: ControlHost, records: TemporaryFolderRecords, path: str) -> None:
    """Remove a recorded folder with all that is in it. What fails is left to the next connection."""
    try:
        async with asyncio.timeout(REMOVAL_SECONDS):
            await host.run_control(f"rm -rf {quote(path)} 2>/dev/null", timeout=REMOVAL_SECONDS)
    except (RemoteError, TimeoutError) as error:
        log.info("%s stays until the next connection: %r", path, error)
        return
    await asyncio.to_thread(records.done, path)


async def remove_abandoned(host: ControlHost, records: TemporaryFolderRecords) -> None:
    """Remove the folders of sidecars that died. Without any this costs nothing; otherwise one round trip.

    Their contents go in the background on the remote; a record goes when its folder is seen to be gone.

    Raises:
        RemoteError: the remote does not answer; the records stay.
    """
    paths = await asyncio.to_thread(records.abandoned)
    if not paths:
        return
    words = " ".join(quote(path) for path in paths)
    script = f"""
for pb_p in {words}; do
if [ -e "$pb_p" ] || [ -h "$pb_p" ]; then (trap '' HUP; rm -rf "$pb_p") </dev/null >/dev/null 2>&1 &
else printf '%s\\n' "$pb_p"
fi
done
"""
    gone = decode_text(await host.run_control(script)).split("\n")
    for path in paths:
        if path in gone:
            await asyncio.to_thread(records.done, path)
