"""KnownHostsCommand gets the arguments that OpenSSH gives it, and must end."""

from __future__ import annotations

import os
from pathlib import Path

import asyncssh
import pytest

from pybridge.errors import HostKeyError
from pybridge.transport import known_hosts_command
from pybridge.transport.known_hosts_command import KnownHostsCommand
from tests.kit.sshd import SshServer
from tests.kit.system_ssh import ask_system_ssh
from tests.transport.test_host_keys_as_ssh import connect

KEY = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()


@pytest.mark.parametrize("tokens", ["%I %t %f %K %H %h %p %r %n %k", "%I %H 'a b' \"%%t\""])
async def test_it_gets_what_openssh_gives_it(openssh: SshServer, tmp_path: Path, tokens: str) -> None:
    calls = {}
    for side in ("theirs", "ours"):
        script = tmp_path / side
        log = tmp_path / f"{side}.log"
        script.write_text(f'#!/bin/sh\nprintf "%s|" "$@" >>{log}\necho >>{log}\ncat {openssh.known_hosts}\n')
        script.chmod(0o755)
        command = openssh.ssh_command_with(known_hosts=tmp_path / "none").removeprefix("ssh ")
        option = f"'-oKnownHostsCommand={script} {tokens.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}'"
        if side == "theirs":
            assert (await ask_system_ssh(f"ssh {option} {command}")).got_in
        else:
            assert await connect(f"ssh {option} {command}") is None
        calls[side] = log.read_text().splitlines()
    if "%K" in tokens:
        assert calls["ours"] == calls["theirs"]
    else:  # It is asked once, as OpenSSH asks the second time.
        assert calls["ours"] == calls["theirs"][1:]


@pytest.mark.unit
@pytest.mark.skipif(os.name == "nt", reason="it runs a shell")
def test_it_must_end_and_end_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_hosts_command, "DEADLINE_SECONDS", 0.3)
    with pytest.raises(HostKeyError, match="did not end within"):
        KnownHostsCommand("/bin/sh -c 'exec sleep 600'", "box", "box").run_before()
    with pytest.raises(HostKeyError, match="ended with 7: words"):
        KnownHostsCommand("/bin/sh -c 'echo words >&2; exit 7' %t", "box", "box").run_for(KEY)
    with pytest.raises(HostKeyError, match="not closed"):
        KnownHostsCommand("/bin/echo 'x", "box", "box").run_before()
    (tmp_path / "no program").write_text("")
    with pytest.raises(HostKeyError, match="cannot be run"):
        KnownHostsCommand(f"'{tmp_path}/no program'", "box", "box").run_before()
