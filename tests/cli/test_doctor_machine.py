"""What `pybridge doctor` says of the machine behind the connection."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.kit import root_files
from tests.kit.containers import SSHD, image_of, ssh_container
from tests.kit.root_files import busybox_root, debian_root
from tests.kit.sudo_server import SUDOERS, USER, SudoServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its servers need a Unix")


def said(output: str) -> dict[str, str]:
    """Each step's sign and text, in one line."""
    found: dict[str, str] = {}
    name = ""
    for line in output.splitlines():
        if step := re.match(r"([✓✗–!]) (.{12}) (.*)", line):
            name = step[2].strip()
            found[name] = f"{step[1]} {step[3]}"
        elif name and line.startswith(" "):
            found[name] += " " + line.strip()
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SudoServer]:
    own_tmp = "mount -t tmpfs -o mode=1777 tmpfs /tmp"
    server = SudoServer(tmp_path_factory.mktemp("sudo"), setup=own_tmp)
    with contextlib.closing(_Stopping(server)):
        yield server


class _Stopping:
    def __init__(self, server: SudoServer) -> None:
        self.close = server.stop


def look(pybridge: Command, ssh: str, **env: str) -> dict[str, str]:
    """What the doctor finds on a remote."""
    return said(pybridge("doctor", env={"REMOTE_SSH": ssh, **env}).stdout)


def test_each_property_is_told(pybridge: Command, server: SudoServer) -> None:
    server.sudoers(SUDOERS)
    found = look(pybridge, server.ssh_command, REMOTE_WORKDIR="~", REMOTE_SUDO_PASSWORD=server.password)
    assert re.fullmatch(rf"✓ Linux .*, user {USER} commands run in /bin/bash", found["probe"])
    assert re.fullmatch(r"✓ that of a login \(\d+ variables\)", found["environment"])
    assert (found["home"], found["folder"]) == (f"✓ {server.home}", f"✓ {server.home}")
    assert found["temporary"].startswith("✓ /tmp ")
    assert found["files"].startswith("✓ checked with sha256sum, decoded with base64 -d, attributes from stat")
    assert found["programs"].startswith("✓ found: ") and "bash" in found["programs"]
    assert re.fullmatch(r"✓ \d+ ms", found["round trip"])
    assert re.match(r"✓ room for \d+ more", found["channels"])
    assert found["sudo"] == "✓ works with REMOTE_SUDO_PASSWORD"
    assert list(server.path("/tmp").iterdir()) == []


@pytest.mark.whole
def test_sudo(pybridge: Command, server: SudoServer) -> None:
    server.sudoers(SUDOERS + f'Defaults logfile="{server.home}/sudo.log"\n')
    wrong = look(pybridge, server.ssh_command, REMOTE_WORKDIR="~", REMOTE_SUDO_PASSWORD="wrong-one")["sudo"]
    assert wrong.startswith("✗ sudo does not work with REMOTE_SUDO_PASSWORD. It says: Sorry, try again.")
    assert "→ If it asks for a password, correct REMOTE_SUDO_PASSWORD" in wrong and "wrong-one" not in wrong
    assert server.path(f"{server.home}/sudo.log").read_text().count("incorrect password attempt") == 1
    unset = look(pybridge, server.ssh_command, REMOTE_WORKDIR="~")["sudo"]
    assert unset == "– asks for a password, and REMOTE_SUDO_PASSWORD is not set: it will fail at once"
    server.sudoers(SUDOERS + f"{USER} ALL=(ALL:ALL) NOPASSWD: ALL\n")
    assert look(pybridge, server.ssh_command, REMOTE_WORKDIR="~")["sudo"] == "✓ works without a password"


@pytest.mark.whole
def test_a_folder_that_may_not_be_written_and_a_login_that_hangs(pybridge: Command, server: SudoServer) -> None:
    profile = server.path(f"{server.home}/.bash_profile")
    profile.write_text('[ -n "$MAIL" ] && sleep 60\n')
    try:
        found = look(pybridge, server.ssh_command, REMOTE_WORKDIR="/etc")
    finally:
        profile.unlink()
    assert found["folder"].startswith("! /etc, which you may not write")
    assert "→ Looking and searching work there." in found["folder"]
    assert found["environment"].startswith(
        "! that of the bare connection: the login's could not be had, because it takes more than 5 s"
    )
    assert "set REMOTE_LOGIN=0" in found["environment"]
    found = look(pybridge, server.ssh_command, REMOTE_WORKDIR="~", REMOTE_LOGIN="0")
    assert found["environment"] == "✓ that of the bare connection, since REMOTE_LOGIN is 0"


@pytest.mark.whole
def test_busybox_and_dropbear(pybridge: Command, tmp_path: Path) -> None:
    with ssh_container(image_of("busybox", busybox_root), tmp_path) as container:
        found = look(
            pybridge, container.ssh_command, REMOTE_WORKDIR="~", REMOTE_SUDO_PASSWORD=root_files.PASSWORD
        )  # fmt: skip
    assert found["probe"].endswith("commands run in /bin/sh")
    for words in ("found: none of bash, rg, git", "no bash: commands run in sh", "no rg: searches are made with find"):
        assert words in found["programs"]
    assert found["sudo"] == "✓ works with REMOTE_SUDO_PASSWORD"
    assert {step for step, text in found.items() if text[0] in "✗!"} <= {"OpenCode"}


@pytest.mark.whole
def test_a_read_only_machine_without_a_home(pybridge: Command, tmp_path: Path) -> None:
    image = image_of("debian-no-home", lambda: debian_root(home="/no/home"))
    with ssh_container(image, tmp_path, SSHD, options={"read_only": True}) as container:
        found = look(pybridge, container.ssh_command, REMOTE_WORKDIR="/etc", REMOTE_SUDO_PASSWORD=root_files.PASSWORD)
    assert found["home"].startswith("! /no/home does not exist there → It is not needed.")
    assert found["temporary"].startswith("! none of TMPDIR, /tmp, /var/tmp and the home folder can be written")
    assert found["folder"].startswith("! /etc, which you may not write")
    assert found["sudo"].startswith("! can be given no password: there is no place for it")
