"""Columns: userlands, from a whole Debian down to a busybox that lacks most applets."""

from __future__ import annotations

from pybridge.host.facts import Facts
from pybridge.host.host import Host
from tests.kit.containers import DROPBEAR
from tests.kit.counterparts import need
from tests.kit.root_files import RootFiles, busybox_root, renamed
from tests.matrix.column import Column
from tests.matrix.container_column import busybox_column, container_column, debian_column
from tests.matrix.tools_of_2010 import SETUP as TOOLS_OF_2010

MANY = ("base64", "md5sum", "mktemp", "readlink", "realpath", "setsid", "sha256sum", "sha512sum", "stat", "timeout",
        "uudecode", "wget", "which", "xargs", "xxd")  # fmt: skip


def _debian(host: Host) -> None:
    assert {"bash", "rg", "stat", "base64"} <= host.facts.tools and host.facts.find_printf and host.shell == "/bin/bash"


def _busybox(facts: Facts) -> None:
    assert facts.tools.isdisjoint({"bash", "rg", "git"}) and not facts.find_printf and not facts.stat_gnu


def _lacks(*names: str):
    def claims(host: Host) -> None:
        assert host.facts.tools.isdisjoint(names), host.facts.tools

    return claims


def _only_cksum(host: Host) -> None:
    assert host.facts.digest == "cksum"


def _md5(host: Host) -> None:
    assert host.facts.digest == "md5sum"


def _no_head_c(host: Host) -> None:
    assert not host.facts.head_c and "head" in host.facts.tools


def _no_readlink_f(host: Host) -> None:
    assert not host.facts.readlink_f and "readlink" in host.facts.tools


def _next_to_nothing(host: Host) -> None:
    facts = host.facts
    assert facts.tools.isdisjoint(MANY) and (facts.digest, facts.decoder, facts.stat) == ("cksum", "pb_octal", "")
    assert not (facts.head_c or facts.readlink_f or facts.leads)


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


POSIX_FEW = (
    "awk cat chgrp chmod chown cksum cmp cp cut date dd env find grep head id ls ln mkdir mkfifo mv od ps pwd rm sed sh sleep"
    " sort sudo tail tee test touch tr uname wc"
)


def _wrapper(program: str, real: str, *refused: str) -> str:
    """A script in place of a program that does not know some options; a line of a setup."""
    cases = " ".join(f"{pattern}) echo '{program}: unrecognized option' >&2; exit 1 ;;" for pattern in refused)
    text = f'#!/bin/sh\nfor a do case $a in {cases} --) break ;; esac; done\nexec {real} "$@"\n'
    quoted = text.replace("'", "'\\''")
    place = f"/usr/bin/{program}"
    return f"rm -f {place}; printf '%s' '{quoted}' > {place}; chmod 755 {place}; "


def _with_cksum(*without: str) -> RootFiles:
    """A busybox without applets, and cksum, which POSIX demands and this busybox lacks."""
    root = busybox_root(*without)
    root.copy(need("cksum"))
    return root


def _with_dash() -> RootFiles:
    root = busybox_root()
    root.copy(need("dash"))
    root.link("usr/bin/sh", "dash")
    return root


COLUMNS: tuple[Column, ...] = (
    debian_column("Debian", "a Debian container with sshd: sh is dash; bash, GNU tools, ripgrep", claims=_debian),
    debian_column("sh is bash", "the same, /bin/sh leads to bash", setup="ln -sf bash /bin/sh"),
    debian_column(
        "sh is ash",
        "the same, /bin/sh is busybox ash, which prefers its own applets to GNU tools",
        setup="cp /.truth/busybox /bin/busybox; ln -sf busybox /bin/sh",
    ),
    debian_column("no bash, no rg", "the same without bash and ripgrep; the login shell is sh",
                  setup="rm /bin/bash /bin/rg; sed -i s,/bin/bash,/bin/sh, /etc/passwd", claims=_lacks("bash", "rg")),
    debian_column("no rg", "the same without ripgrep: GNU find and grep search", setup="rm /bin/rg",
                  claims=_lacks("rg")),
    debian_column(
        "find without -printf",
        "the same without ripgrep, and find does not know -printf",
        setup="rm /bin/rg; mv /bin/find /bin/find.real; " + _wrapper("find", "/bin/find.real", "-printf"),
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
    busybox_column("busybox", "a container with busybox and dropbear: ash, no bash, no rg, no SFTP",
                   claims=lambda host: _busybox(host.facts)),
    container_column("busybox, sh is dash", "the same, /bin/sh is dash", "busybox-dash", _with_dash, DROPBEAR),
    busybox_column("busybox, no stat", "the same without stat; newest first holds for ASCII names only", "stat",
                   claims=_lacks("stat")),
    busybox_column("busybox, no base64", "the same without base64", "base64", claims=_lacks("base64")),
    busybox_column("busybox, no readlink", "the same without readlink", "readlink", claims=_lacks("readlink")),
    busybox_column("busybox, no readlink -f", "the same, readlink does not know -f", "readlink",
                   setup=_wrapper("readlink", f"/bin/{renamed('readlink')}", "-f"), claims=_no_readlink_f),
    busybox_column("busybox, no head -c", "the same, head knows lines only", "head",
                   setup=_wrapper("head", f"/bin/{renamed('head')}", "-c*"), claims=_no_head_c),
    busybox_column("busybox, no sha256sum", "the same without sha256sum: md5sum", "sha256sum", claims=_md5),
    container_column("busybox, only cksum", "the same without any checksum program but POSIX's cksum", "busybox-cksum",
                     lambda: _with_cksum("sha256sum", "md5sum"), DROPBEAR, claims=_only_cksum),
    busybox_column("busybox, no setsid", "the same without setsid: a command's processes are found one by one",
                   "setsid", claims=_lacks("setsid")),
    container_column(
        "next to nothing",
        f"the same without all of {', '.join(MANY)}, and with a head that knows lines only",
        "busybox-next-to-nothing",
        lambda: _with_cksum(*MANY, "head"),
        DROPBEAR,
        setup=_wrapper("head", f"/bin/{renamed('head')}", "-c*"),
        claims=_next_to_nothing,
    ),
)  # fmt: skip
