"""Columns on containers: an image, a server, and what is changed in it before the server starts."""

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


def debian_column(name: str, what: str, *, setup: str = "", **options: Any) -> Column:
    """A column on the Debian container with sshd, with a change or two."""
    return container_column(name, what, "debian", debian_root, SSHD, setup=setup, **options)


def busybox_column(name: str, what: str, *without: str, setup: str = "", **options: Any) -> Column:
    """A column on the busybox container with dropbear; `without` are applets it lacks."""
    image = "-".join(["busybox", *(["less", *without] if without else [])])
    return container_column(name, what, image, lambda: busybox_root(*without), DROPBEAR, setup=setup, **options)


def lacks(*names: str) -> Callable[[Host], None]:
    """Asserts that the probe has not found some programs."""

    def claims(host: Host) -> None:
        assert host.facts.tools.isdisjoint(names), host.facts.tools

    return claims


def wrapper(program: str, real: str, *refused: str) -> str:
    """A script in place of a program that does not know some options; a line of a setup."""
    cases = " ".join(f"{pattern}) echo '{program}: unrecognized option' >&2; exit 1 ;;" for pattern in refused)
    text = f'#!/bin/sh\nfor a do case $a in {cases} --) break ;; esac; done\nexec {real} "$@"\n'
    quoted = text.replace("'", "'\\''")
    place = f"/usr/bin/{program}"
    return f"rm -f {place}; printf '%s' '{quoted}' > {place}; chmod 755 {place}; "
