"""Real sshd servers for each kind of user on each kind of userland, on this machine's own file system."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.host.conftest import busybox_programs
from tests.kit.counterparts import need, need_root
from tests.kit.sshd import SshServer, start_openssh
from tests.kit.sudo_server import UID, SudoServer


@dataclass(frozen=True)
class Login:
    """A user on a running server.

    Args:
        ssh_command: a value for REMOTE_SSH.
        uid: the user's number; the group has the same.
        gnu: whether the programs there are this machine's, and not busybox's own only.
        pid: of a process that sees the file systems the server sees.
    """

    ssh_command: str
    uid: int
    gnu: bool
    pid: int


@contextlib.contextmanager
def login(folder: Path, user: str, userland: str) -> Iterator[Login]:
    """Start a server for one user, and stop it at the end.

    Args:
        folder: an empty folder for its files.
        user: "root" or "plain".
        userland: "gnu", this machine's programs, or "busybox", nothing but its applets: its ash is /bin/sh there.
    """
    need_root("start servers for other users")
    shell = Path("/bin/sh").resolve()
    busybox = need("busybox") if userland == "busybox" else ""
    kit = folder / "kit"
    kit.mkdir()
    if busybox:
        busybox_programs(kit / "programs")
    if user == "root":
        options = ["MaxStartups 50"]
        home = folder / "home"
        home.mkdir()
        if busybox:
            options.append(f"SetEnv PATH={kit / 'programs'} HOME={home}")
        replaced = {str(shell): Path(busybox)} if busybox else None
        server = start_openssh(kit, options, home=home, replaced=replaced)
        try:
            yield Login(server.ssh_command, 0, not busybox, server.pid)
        finally:
            server.stop()
        return
    setup = f"mount --bind {busybox} {shell}; echo 'SetEnv PATH=/run/kit/programs' >> /run/kit/sshd_config"
    plain = SudoServer(kit, shell="/bin/sh" if busybox else "/bin/bash", setup=setup if busybox else "")
    try:
        yield Login(plain.ssh_command, UID, not busybox, plain.pid)
    finally:
        plain.stop()


SEARCHERS = ("rg", "gnu", "busybox")
"""Userlands by what they search with: ripgrep, GNU's find and grep, busybox's."""


@contextlib.contextmanager
def searching_server(folder: Path, userland: str) -> Iterator[SshServer]:
    """A server for this user that searches in a chosen way. Ask it without its login environment (REMOTE_LOGIN=0).

    Args:
        folder: an empty folder for its files; `folder/programs` is its PATH, unless `userland` is "rg".
        userland: one of `SEARCHERS`.
    """
    programs, shell = folder / "programs", Path("/bin/sh").resolve()
    options, replaced = ["MaxStartups 100"], None
    if userland == "rg":
        need("rg")
    elif userland == "busybox":
        need_root("have another /bin/sh")
        busybox_programs(programs)
        replaced = {str(shell): Path(need("busybox"))}
    else:
        programs.mkdir()
        for place in ("/usr/bin", "/bin"):
            for program in Path(place).iterdir():
                if program.name != "rg" and not (programs / program.name).is_symlink():
                    (programs / program.name).symlink_to(program)
    if userland != "rg":
        options.append(f"SetEnv PATH={programs}")
    server = start_openssh(folder, options, replaced=replaced)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def public_folder() -> Iterator[Path]:
    """An empty folder that every user can reach, removed at the end.

    Not one of pytest's: it closes the folder they lie in whenever another run of pytest begins.
    """
    with tempfile.TemporaryDirectory(prefix="pybridge-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


def described(path: Path) -> dict[str, object]:
    """Everything about a file but its content, number and times, symlinks followed."""
    state = path.stat()
    names = sorted(name for name in os.listxattr(path) if not name.startswith("system."))
    return {
        "mode": f"{state.st_mode & 0o7777:o}",
        "owner": state.st_uid,
        "group": state.st_gid,
        "links": state.st_nlink,
        "attributes": {name: os.getxattr(path, name) for name in names},
        "acl": os.getxattr(path, ACL) if ACL in os.listxattr(path) else None,
    }


ACL = "system.posix_acl_access"
