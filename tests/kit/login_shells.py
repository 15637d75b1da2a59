"""Servers whose user has another login shell, or whose logins lead elsewhere than to a shell."""

from __future__ import annotations

from pathlib import Path

from tests.kit.counterparts import need, need_root
from tests.kit.sshd import SshServer, start_openssh

SHELLS = ("bash", "zsh", "fish", "tcsh", "bsd-csh", "ksh93", "mksh", "rbash", "dash")
"""Programs, each in a package of its own name or nearly (see .ci/run)."""

FORCED = {
    "words": "exec $SSH_ORIGINAL_COMMAND",
    "one-word": 'exec "$SSH_ORIGINAL_COMMAND"',
    "shell": 'exec sh -c "$SSH_ORIGINAL_COMMAND"',
    "eval": 'eval "$SSH_ORIGINAL_COMMAND"',
}
"""Texts of a wrapper for ForceCommand, by name: each runs what was asked for in its own way."""

MENU = """\
echo 'Appliance 4000'
echo '1) status'
printf 'Your choice: '
read -r choice
echo 'No such choice.'
"""
"""A login shell that runs nothing."""


def start_with_shell(folder: Path, shell: str, home: Path | None = None) -> SshServer:
    """An sshd whose user has a program for a login shell.

    Args:
        folder: for the server's files.
        shell: name or path of the program.
        home: the user's home folder; an empty one if not given.
    """
    need_root("give the remote user another login shell")
    return start_openssh(folder, home=home, shell=shell if shell.startswith("/") else need(shell))


def start_forced(folder: Path, text: str) -> SshServer:
    """An sshd whose every command goes to a script in place of the login shell.

    Args:
        folder: for the server's files.
        text: of the script, POSIX sh.
    """
    return start_openssh(folder, [f"ForceCommand {script(folder, text)}"])


def script(folder: Path, text: str) -> Path:
    """An executable script for sh in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "script"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path
