"""What is known of asyncssh before it is loaded, and what a process can do without."""

from __future__ import annotations

import subprocess
import sys

import asyncssh
import pytest

from pybridge.transport import asyncssh_parts
from pybridge.transport.asyncssh_parts import asyncssh_version, leave_out_file_transfers
from tests.kit.sshd import SshServer

_PROGRAM = """
import asyncio, sys
from pybridge.transport.asyncssh_parts import leave_out_file_transfers
leave_out_file_transfers()
from tests.kit.pools import open_pool, run

async def main():
    async with open_pool(sys.argv[1]) as pool:
        print((await run(pool, "echo here")).stdout)

asyncio.run(main())
import asyncssh
print(getattr(sys.modules["asyncssh.sftp"], "__file__", "left out"))
try:
    asyncssh.SFTPError(1, "")
except NotImplementedError as error:
    print(error)
"""


@pytest.mark.unit
def test_its_version_is_known() -> None:
    assert asyncssh_version() == asyncssh.__version__


@pytest.mark.unit
def test_it_is_not_loaded_for_that() -> None:
    code = f"import sys; from {asyncssh_parts.__name__} import *; asyncssh_version(); print('asyncssh' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout == "False\n"


def test_it_connects_without_its_file_transfers(openssh: SshServer) -> None:
    code = [sys.executable, "-c", _PROGRAM, openssh.ssh_command]
    found = subprocess.run(code, capture_output=True, check=True, text=True)
    assert found.stdout.splitlines() == ["b'here\\n'", "left out", "asyncssh.sftp is left out of this process"]
    assert found.stderr == ""


@pytest.mark.unit
def test_they_stay_where_it_is_loaded_already() -> None:
    leave_out_file_transfers()
    assert asyncssh.SFTPError(1, "reason").reason == "reason"
