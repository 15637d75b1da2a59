"""A column of the matrix: one server with one userland behind it, real, and an independent way to look at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from pybridge.host.host import Host
from tests.matrix.truth import Truth


@dataclass(frozen=True)
class Counterpart:
    """A column's server while it runs.

    Args:
        ssh: the value of REMOTE_SSH that reaches it.
        truth: what is really there.
        area: an absolute folder on the remote that the remote user owns; each row works in a folder of its own in it.
        password: REMOTE_PASSWORD.
        sudo_password: REMOTE_SUDO_PASSWORD; None where sudo asks for none.
        shell: REMOTE_SHELL.
        login: REMOTE_LOGIN.
    """

    ssh: str
    truth: Truth
    area: str
    password: str | None = None
    sudo_password: str | None = None
    shell: str | None = None
    login: bool = True


@dataclass(frozen=True)
class Refusal:
    """What a cell cannot do, since OpenSSH's own client or POSIX cannot.

    Args:
        error: the error the tool gives instead.
        match: a regular expression its text matches.
        why: for the reader of the table.
    """

    error: type[Exception]
    match: str
    why: str


def _nothing(host: Host) -> None:
    """A column that claims nothing more than its name."""


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        name: short; in the table and in the names of its tests.
        what: what it is made of and lacks, for the reader of the table.
        start: starts it; a folder of its own for local files is given.
        claims: asserts that the probe found what the name says, so that a column cannot silently become another.
        refused: rows that are refused there.
        quick: also part of `make test`.
    """

    name: str
    what: str
    start: Callable[[Path], AbstractContextManager[Counterpart]]
    claims: Callable[[Host], None] = _nothing
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    quick: bool = False
