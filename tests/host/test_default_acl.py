"""A folder's default ACL entries are for new files: one that was there gets none of them by being changed (law 2)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pybridge.host.host import Host
from tests.host.test_applying import leftovers, replace
from tests.kit.counterparts import need

ACL = "system.posix_acl_access"


@pytest.mark.parametrize("size", [10, 700_000])
async def test_law2_a_changed_file_does_not_take_over_the_folders_default_acl(
    local: Host, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    path.chmod(0o640)
    subprocess.run([need("setfacl"), "-d", "-m", "u:12345:rwx", str(tmp_path)], check=True)
    await replace(local, path, b"n" * size)
    assert path.read_bytes() == b"n" * size
    assert ACL not in os.listxattr(path)
    assert path.stat().st_mode & 0o7777 == 0o640
    assert leftovers(tmp_path) == []
