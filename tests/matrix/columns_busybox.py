"""Columns: busybox and dropbear, and what such a box may lack besides."""

from __future__ import annotations

from pybridge.host.facts import Facts
from pybridge.host.host import Host
from tests.kit.containers import DROPBEAR
from tests.kit.counterparts import need
from tests.kit.root_files import RootFiles, busybox_root, renamed
from tests.matrix.column import Column
from tests.matrix.container_column import busybox_column, container_column, lacks, wrapper

MANY = ("base64", "md5sum", "mktemp", "readlink", "realpath", "setsid", "sha256sum", "sha512sum", "stat", "timeout",
        "uudecode", "wget", "which", "xargs", "xxd")  # fmt: skip


def _busybox(facts: Facts) -> None:
    assert facts.tools.isdisjoint({"bash", "rg", "git"}) and not facts.find_printf and not facts.stat_gnu


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
    busybox_column("busybox", "a container with busybox and dropbear: ash, no bash, no rg, no SFTP",
                   claims=lambda host: _busybox(host.facts)),
    container_column("busybox, sh is dash", "the same, /bin/sh is dash", "busybox-dash", _with_dash, DROPBEAR),
    busybox_column("busybox, no stat", "the same without stat; newest first holds for ASCII names only", "stat",
                   claims=lacks("stat")),
    busybox_column("busybox, no base64", "the same without base64", "base64", claims=lacks("base64")),
    busybox_column("busybox, no readlink", "the same without readlink", "readlink", claims=lacks("readlink")),
    busybox_column("busybox, no readlink -f", "the same, readlink does not know -f", "readlink",
                   setup=wrapper("readlink", f"/bin/{renamed('readlink')}", "-f"), claims=_no_readlink_f),
    busybox_column("busybox, no head -c", "the same, head knows lines only", "head",
                   setup=wrapper("head", f"/bin/{renamed('head')}", "-c*"), claims=_no_head_c),
    busybox_column("busybox, no sha256sum", "the same without sha256sum: md5sum", "sha256sum", claims=_md5),
    container_column("busybox, only cksum", "the same without any checksum program but POSIX's cksum", "busybox-cksum",
                     lambda: _with_cksum("sha256sum", "md5sum"), DROPBEAR, claims=_only_cksum),
    busybox_column("busybox, no setsid", "the same without setsid: a command's processes are found one by one",
                   "setsid", claims=lacks("setsid")),
    container_column(
        "next to nothing",
        f"the same without all of {', '.join(MANY)}, and with a head that knows lines only",
        "busybox-next-to-nothing",
        lambda: _with_cksum(*MANY, "head"),
        DROPBEAR,
        setup=wrapper("head", f"/bin/{renamed('head')}", "-c*"),
        claims=_next_to_nothing,
    ),
)  # fmt: skip
