"""Columns: a whole Debian, and what may be missing from it or otherwise."""

from __future__ import annotations

from pybridge.host.host import Host
from tests.matrix.column import Column
from tests.matrix.container_column import debian_column, lacks, wrapper
from tests.matrix.tools_of_2010 import SETUP as TOOLS_OF_2010

POSIX_FEW = (
    "awk cat chgrp chmod chown cksum cmp cp cut date dd env find grep head id ls ln mkdir mkfifo mv od ps pwd rm sed sh"
    " sleep sort sudo tail tee test touch tr uname wc"
)


def _debian(host: Host) -> None:
    assert {"bash", "rg", "stat", "base64"} <= host.facts.tools and host.facts.find_printf and host.shell == "/bin/bash"


def _no_printf(host: Host) -> None:
    assert host.facts.stat_gnu and not host.facts.find_printf


def _of_2010(host: Host) -> None:
    facts = host.facts
    assert not facts.cp_gnu and not facts.stat_gnu and facts.stat == "gnu" and facts.find_printf and facts.grep_gnu


def _read_only(host: Host) -> None:
    assert host.facts.scratch == "/tmp" and host.home == "/home/dev"


def _homeless(host: Host) -> None:
    assert host.home == "/nowhere"


def _restricted(host: Host) -> None:
    assert host.facts.tools <= set(POSIX_FEW.split()), host.facts.tools


COLUMNS: tuple[Column, ...] = (
    debian_column("Debian", "a Debian container with sshd: sh is dash; bash, GNU tools, ripgrep", claims=_debian),
    debian_column("sh is bash", "the same, /bin/sh leads to bash", setup="ln -sf bash /bin/sh"),
    debian_column(
        "sh is ash",
        "the same, /bin/sh is busybox ash, which prefers its own applets to GNU tools",
        setup="cp /.truth/busybox /bin/busybox; ln -sf busybox /bin/sh",
    ),
    debian_column("no bash, no rg", "the same without bash and ripgrep; the login shell is sh",
                  setup="rm /bin/bash /bin/rg; sed -i s,/bin/bash,/bin/sh, /etc/passwd", claims=lacks("bash", "rg")),
    debian_column("no rg", "the same without ripgrep: GNU find and grep search", setup="rm /bin/rg",
                  claims=lacks("rg")),
    debian_column(
        "find without -printf",
        "the same without ripgrep, and find does not know -printf",
        setup="rm /bin/rg; mv /bin/find /bin/find.real; " + wrapper("find", "/bin/find.real", "-printf"),
        claims=_no_printf,
    ),
    debian_column(
        "tools of 2010",
        "the same without ripgrep; GNU tools refuse what is newer than coreutils 8.5, findutils 4.4, grep 2.6 and sed "
        "4.2 (wrappers that know these options, not the old programs themselves)",
        setup="rm /bin/rg; " + TOOLS_OF_2010,
        claims=_of_2010,
    ),
    debian_column(
        "read-only root",
        "the same on a root that cannot be written, except /tmp, where the work is",
        area="/tmp/work",
        tmpfs={"/tmp": "mode=1777,exec", "/run": "mode=0755"},
        setup="mkdir -p /run/sshd",
        options={"read_only": True},
        claims=_read_only,
    ),
    debian_column(
        "no home",
        "the same, the home folder of /etc/passwd does not exist",
        area="/srv/work",
        setup="sed -i s,:/home/dev:,:/nowhere:, /etc/passwd",
        claims=_homeless,
    ),
    debian_column(
        "ISO-8859-1",
        "the same in the locale de_DE.ISO-8859-1",
        sshd_config="SetEnv LANG=de_DE.ISO-8859-1 LC_ALL=de_DE.ISO-8859-1\n",
    ),
    debian_column(
        "few programs on PATH",
        "the same, PATH has a few programs of POSIX and sudo only",
        setup=f"mkdir -p /opt/few; for p in {POSIX_FEW}; do ln -s /usr/bin/$p /opt/few/$p; done",
        sshd_config="SetEnv PATH=/opt/few\n",
        claims=_restricted,
    ),
)  # fmt: skip
