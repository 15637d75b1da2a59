"""The private folder on the remote through which sudo is given its password; see `pybridge.host.sudo`.

The first command makes it, and it holds no secret. It goes with the sidecar; if that was killed, the next connection
removes it.
"""

from __future__ import annotations

import asyncio
import posixpath

from pybridge.host.host import Host
from pybridge.host.sudo import Sudo
from pybridge.mirror.temporary_folders import TemporaryFolderRecords, new_name
from pybridge.settings import Secret
from pybridge.tools.temporary_folder import remove_folder


class SudoFolder:
    """Made by `offer_sudo`."""

    def __init__(self, host: Host, records: TemporaryFolderRecords, path: str) -> None:
        self._host = host
        self._records = records
        self.path = path
        """Remote absolute path."""

    async def remove(self) -> None:
        """Remove it, if a command has made it. What fails is left to the next connection."""
        if self._host.sudo_used:
            await remove_folder(self._host, self._records, self.path)
        else:
            await asyncio.to_thread(self._records.done, self.path)


async def offer_sudo(host: Host, records: TemporaryFolderRecords, password: Secret | None) -> SudoFolder | None:
    """Let the commands of the user's on `host` use sudo with a password. No round trip.

    Args:
        host: a connected host.
        records: where the folder is recorded before a command makes it.
        password: the remote user's; None for none.

    Returns:
        what has to be removed in the end; None where there is no password, or no folder there can be written.

    Raises:
        LocalStorageError: it cannot be recorded.
    """
    if password is None or host.facts.scratch is None:
        return None
    path = posixpath.join(host.facts.scratch, new_name())
    await asyncio.to_thread(records.begin, path)
    host.offer_sudo(Sudo(password.reveal(), path))
    return SudoFolder(host, records, path)
