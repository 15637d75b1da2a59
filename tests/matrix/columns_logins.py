"""Columns: what the remote user's start-up files do before anything of ours runs."""

from __future__ import annotations

from pybridge.host.host import Host
from tests.matrix.container_column import debian_column


def _files(*, profile: str, bashrc: str) -> str:
    """A setup that writes ~/.profile and ~/.bashrc of the user; bash started by sshd reads the latter for commands."""
    text = [f"cat > /home/dev/{name} <<'FILE'\n{lines}\nFILE\n" for name, lines in
            ((".profile", profile), (".bashrc", bashrc))]  # fmt: skip
    return "".join(text)


def _captured(host: Host) -> None:
    assert host.login.how == "login" and "FROM_PROFILE" in host.login.exports


def _not_captured(host: Host) -> None:
    assert host.login.how == "none"


_NOISE = "echo Welcome to é; echo 'Last login: never' >&2; printf 'no newline'; printf '\\033[1m'"

COLUMNS = (
    debian_column(
        "login that prints",
        "Debian; ~/.profile and ~/.bashrc write to both streams, without a newline at the end too",
        setup=_files(profile=f"{_NOISE}; export FROM_PROFILE=1", bashrc=_NOISE),
        claims=_captured,
    ),
    debian_column(
        "login that sleeps",
        "Debian; ~/.profile never ends, ~/.bashrc takes a second",
        setup=_files(profile="sleep 100000", bashrc="sleep 1"),
        claims=_not_captured,
    ),
    debian_column(
        "login that execs a shell",
        "Debian; ~/.profile and ~/.bashrc replace the shell by dash, whatever it was started for",
        setup=_files(profile="exec dash", bashrc="exec dash"),
        claims=_not_captured,
    ),
    debian_column(
        "login that fails",
        "Debian; ~/.profile ends the shell with an error, ~/.bashrc has an error of syntax",
        setup=_files(profile="export FROM_PROFILE=1\nexit 3", bashrc="if then fi ("),
        claims=_not_captured,
    ),
)
