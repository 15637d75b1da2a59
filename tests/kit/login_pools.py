"""A pool that looks for its secrets where the credentials say, and whether a process has ended."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pybridge.transport.credentials import Credentials
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_pool import SshPool
from pybridge.transport.ssh_target import resolve_target


@contextlib.asynccontextmanager
async def open_pool_with(text: str, credentials: Credentials, **options: Any) -> AsyncIterator[SshPool]:
    """A pool for a value of REMOTE_SSH, closed at the end. `options` are those of SshPool."""
    pool = SshPool(resolve_target(parse_ssh_command(text)), credentials, **options)
    try:
        yield pool
    finally:
        await pool.close()


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or only waits for its parent to notice (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
