"""Columns: userlands in containers, from a whole Debian down to a busybox that lacks most applets."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pybridge.host.host import Host
from tests.kit.containers import DROPBEAR, SSHD, image_of, ssh_container
from tests.kit.root_files import PASSWORD, RootFiles, busybox_root, debian_root
from tests.matrix.column import Column, Counterpart
from tests.matrix.truth import DockerExec

AREA = "/home/dev/work"


def container_column(
    name: str,
    what: str,
    image: str,
    make: Callable[[], RootFiles],
    command: tuple[str, ...],
    *,
    area: str = AREA,
    setup: str = "",
    claims: Callable[[Host], None] = lambda host: None,
    counterpart: dict[str, Any] | None = None,
    **options: Any,
) -> Column:
    """A column on a container.

    Args:
        name, what, claims: as of `Column`.
        image, make: as of `image_of`.
        command: `DROPBEAR` or `SSHD`.
        area: the folder worked in; it is made, and given to the user.
        setup: what is changed in the container before its server starts: busybox's sh, as root.
        counterpart: further arguments of `Counterpart`.
        options: further arguments of `ssh_container`.
    """

    @contextlib.contextmanager
    def start(folder: Path) -> Iterator[Counterpart]:
        made = f"mkdir -p {area}; chown 1000:1000 {area}; {setup}"
        with ssh_container(image_of(image, make), folder, command, setup=made, **options) as server:
            yield Counterpart(
                server.ssh_command, DockerExec(server), area, **{"sudo_password": PASSWORD, **(counterpart or {})}
            )

    return Column(name, what, start, claims)


def _debian(host: Host) -> None:
    assert {"bash", "rg", "stat", "base64"} <= host.facts.tools and host.facts.find_printf and host.shell == "/bin/bash"


def _busybox(host: Host) -> None:
    facts = host.facts
    assert facts.tools.isdisjoint({"bash", "rg", "git"}) and not facts.find_printf and not facts.stat_gnu
    assert host.shell == "/bin/sh"


COLUMNS = (
    container_column(
        "Debian",
        "a Debian container with sshd: dash, bash, GNU tools, ripgrep",
        "debian", debian_root, SSHD, claims=_debian,
    ),
    container_column(
        "busybox",
        "a container with busybox and dropbear: ash, no bash, no rg, no SFTP",
        "busybox", busybox_root, DROPBEAR, claims=_busybox,
    ),
)  # fmt: skip
