"""Columns: login shells other than bash, and a server that allows one channel per connection."""

from __future__ import annotations

import contextlib
import functools
import posixpath
from collections.abc import Callable, Iterator
from pathlib import Path

from pybridge.host.host import Host
from tests.kit.login_shells import script, start_with_shell
from tests.kit.sshd import SshServer, start_openssh
from tests.matrix.column import Column, Counterpart
from tests.matrix.truth import SystemSsh

MENU = """\
if [ "$1" = -c ]; then shift; exec /bin/sh -c "$@"; fi
echo 'Appliance 4000'
printf '1) status  2) reboot: '
read -r choice
echo 'No such choice.'"""


@contextlib.contextmanager
def _at_work(server: SshServer, folder: Path) -> Iterator[Counterpart]:
    """Looked at by another sshd of the same machine: the client that looks needs a shell that reads what it writes."""
    area = folder / "area"
    area.mkdir()
    plain = start_openssh(folder / "plain")
    try:
        yield Counterpart(server.ssh_command, SystemSsh(plain.ssh_command), str(area))
    finally:
        plain.stop()
        server.stop()


@contextlib.contextmanager
def _with_shell(shell: str, folder: Path) -> Iterator[Counterpart]:
    with _at_work(start_with_shell(folder / "sshd", shell), folder) as counterpart:
        yield counterpart


@contextlib.contextmanager
def _with_menu(folder: Path) -> Iterator[Counterpart]:
    with _with_shell(str(script(folder / "menu", MENU)), folder) as counterpart:
        yield counterpart


@contextlib.contextmanager
def _one_session(folder: Path) -> Iterator[Counterpart]:
    with _at_work(start_openssh(folder / "sshd", ["MaxSessions 1"]), folder) as counterpart:
        yield counterpart


def _login_shell_is(name: str) -> Callable[[Host], None]:
    def claims(host: Host) -> None:
        assert posixpath.basename(host.facts.shell) == name

    return claims


def _shell(name: str, what: str) -> Column:
    return Column(f"login shell {name}", what, functools.partial(_with_shell, name), claims=_login_shell_is(name))


COLUMNS = (
    _shell("zsh", "OpenSSH on Debian; commands run in zsh too"),
    _shell("fish", "OpenSSH on Debian; fish is no POSIX shell, so commands run in bash"),
    _shell("tcsh", "OpenSSH on Debian; neither is tcsh"),
    _shell("rbash", "OpenSSH on Debian; bash that allows no change of folder and no redirection"),
    Column(
        "restricted menu",
        "OpenSSH on Debian; the login shell shows a menu to people and runs commands for programs",
        _with_menu,
        claims=_login_shell_is("script"),
    ),
    Column("MaxSessions 1", "OpenSSH on Debian, one channel per connection", _one_session),
)
