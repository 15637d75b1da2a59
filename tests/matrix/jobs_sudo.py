"""The job of the row `sudo`."""

from __future__ import annotations

import asyncio

import pytest

from pybridge.errors import CommandFailedError
from tests.kit.waiting import wait_until
from tests.matrix.work import Work


async def sudo(work: Work) -> None:
    """sudo in a command, a pipeline, a script file, and in several processes at once, with the password where it wants
    one, which meanwhile is in no command line, environment or file; where there is no sudo, the shell says so."""
    if not work.truth.run("command -v sudo || ls /usr/bin/sudo 2>/dev/null; :"):
        with pytest.raises(CommandFailedError, match="sudo.*not found\n\nExit code: 127"):
            await work("bash", command="sudo id -u")
        return
    work.put({"script": b"#!/bin/sh\nsudo -k id -u\n"}, mode=0o755)
    ran = await work("bash", workdir=work.folder, command="echo x | sudo tee made; ./script; id -u | sudo -k cat")
    assert ran.output == f"x\n0\n{work.host.facts.uid}\n"
    assert work.truth.run('ls -ln "$1"', f"{work.folder}/made").split()[2] == b"0"
    several = "for n in 1 2 3 4; do sudo -k id -u & done; wait"
    assert (await work("bash", command=several)).output == "0\n" * 4
    if work.server.sudo_password is None:
        return
    loop = "touch going; while [ -e going ]; do sudo -k id -u; done >/dev/null; sudo -k -n true"
    going = asyncio.create_task(work("bash", workdir=work.folder, command=loop))
    await asyncio.to_thread(wait_until, lambda: work.truth.exists(f"{work.folder}/going"), "sign of the command")
    for _ in range(3):
        assert work.truth.run(_LOOK, stdin=work.server.sudo_password.encode()) == b"looked\n"
    work.truth.run('rm "$1"', f"{work.folder}/going")
    with pytest.raises(CommandFailedError, match="password is required\n\nExit code: 1"):
        await going


# The secret comes by standard input, so that what looks does not find itself.
_LOOK = """
IFS= read -r secret
for f in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do
  case $(tr '\\000' ' ' < "$f" 2>/dev/null) in *"$secret"*) echo "$f";; esac
done
find /tmp /home /var/tmp /root -type f 2>/dev/null | while IFS= read -r f; do
  printf '%s\\n' "$secret" | grep -lF -f - "$f" 2>/dev/null
done
echo looked
"""
