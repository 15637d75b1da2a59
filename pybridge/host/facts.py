"""What one probe found out about a remote machine: the script that asks, and the parser of its answer.

The remote is unknown until probed (law 8). The probe is part of the first control shell's first request, so it costs
no round trip of its own; every other operation chooses its way by these facts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from pybridge.errors import ProbeError
from pybridge.host.checksums import PROGRAMS, posix_cksum
from pybridge.host.framing import decode_text

_SCRIPTS = Path(__file__).with_name("scripts")

CANARY = b"pybridge\n"
"""What the probe has every checksum program digest before one is trusted."""


@dataclass(frozen=True)
class Facts:
    """One remote machine as the probe found it.

    Args:
        system: kernel name, release and machine.
        user: the remote user's name, or number where there is no name.
        uid: the remote user's number.
        umask: permission bits that new files do not get.
        home: $HOME of the connection, which need not exist.
        shell: the user's login shell ($SHELL), empty when unset.
        tools: names of the programs found on the connection's PATH.
        rg: absolute path of ripgrep, or None.
        leads: a channel's shell leads its own session and process group.
        stat: dialect of stat: "gnu" (also busybox), "bsd", or "" for none.
        stat_gnu: stat is GNU's own, and new enough (2010) for fractions of a second.
        digest: checksum program to use.
        decoder: program that decodes base64, "pb_octal" for the shell's own way.
        readlink_f, head_c, find_printf, grep_gnu, grep_p, cp_gnu: an option that was tried and works.
        own_printf: the shell has a printf of its own, so what it is given shows in no list of processes.
        scratch: a writable folder for temporaries that cannot lie beside their target, or None.
        now: the remote's clock in seconds since the epoch, 0 when unknown.
    """

    system: str
    user: str
    uid: int
    umask: int
    home: str
    shell: str
    tools: frozenset[str]
    rg: str | None
    leads: bool
    stat: str
    stat_gnu: bool
    digest: str
    decoder: str
    readlink_f: bool
    head_c: bool
    find_printf: bool
    grep_gnu: bool
    grep_p: bool
    cp_gnu: bool
    own_printf: bool
    scratch: str | None
    now: int

    @property
    def gnu_find(self) -> bool:
        """find knows -printf."""
        return self.find_printf

    @property
    def git(self) -> bool:
        """git is there."""
        return "git" in self.tools

    @property
    def algorithm(self) -> str:
        """Name of the checksum in a FileVersion's digest."""
        return PROGRAMS[self.digest].algorithm

    @property
    def settings(self) -> str:
        """The assignments every file request begins with: which way the prelude's functions go."""
        return (
            f"PB_DIG={self.digest} PB_STAT={self.stat} PB_RL={self.readlink_f:d} PB_HC={self.head_c:d}"
            f" PB_DEC='{self.decoder}' PB_CP={self.cp_gnu:d}"
        )

    def with_login(self, *, rg: str | None, umask: int | None) -> Facts:
        """The same, with what only the login environment could tell."""
        return replace(self, rg=self.rg or rg, umask=self.umask if umask is None else umask)


@cache
def script(name: str) -> str:
    """A script of this package without its comments, as it is sent."""
    text = (_SCRIPTS / name).read_text(encoding="utf-8")
    lines = (line.partition(" # ")[0].strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line and not line.startswith("#"))


@cache
def probe_script() -> str:
    """The probe with its canaries filled in."""
    return (
        script("probe.sh")
        .replace("@SHA256@", hashlib.sha256(CANARY).hexdigest())
        .replace("@MD5@", hashlib.md5(CANARY, usedforsecurity=False).hexdigest())
        .replace("@CKSUM@", str(posix_cksum(CANARY)))
    )


def parse_probe(output: bytes) -> Facts:
    """Facts from the probe's output; unknown lines are left alone.

    Raises:
        ProbeError: the remote lacks something no operation can do without.
    """
    values: dict[str, str] = {}
    for line in output.split(b"\n"):
        name, sign, value = line.partition(b"=")
        if sign:
            values[name.decode("ascii", "replace")] = decode_text(value)
    paths = {name: _path(decode_text(_between(output, f"{name}=".encode(), b"\0"))) for name in ("home", "scratch")}
    if not values.get("digest"):
        raise ProbeError(
            "the remote has no checksum program that works",
            next_step="One of sha256sum, shasum, openssl, md5sum, md5 or cksum (POSIX) must be on its PATH.",
        )
    return Facts(
        system=_shown(values.get("system", "")),
        user=_shown(values.get("user", "")),
        uid=_number(values.get("uid"), 10, -1, most=2**63),
        umask=_number(values.get("umask"), 8, 0o022, most=0o777),
        home=paths["home"] or "/",
        shell=_word(values.get("shell", "")),
        tools=frozenset(values.get("tools", "").split()),
        rg=_word(values.get("rg", "")) or None,
        leads=values.get("leads") == "1",
        stat=values.get("stat", "") if values.get("stat") in ("gnu", "bsd") else "",
        stat_gnu="stat_gnu" in values,
        digest=values["digest"] if values["digest"] in PROGRAMS else "cksum",
        decoder=values.get("decoder", "") if values.get("decoder") in _DECODERS else "pb_octal",
        readlink_f="readlink_f" in values,
        head_c="head_c" in values,
        own_printf="own_printf" in values,
        find_printf="find_printf" in values,
        grep_gnu="grep_gnu" in values,
        grep_p="grep_p" in values,
        cp_gnu="cp_gnu" in values,
        scratch=paths["scratch"] or None,
        now=_number(values.get("now"), 10, 0, most=2**40),
    )


_DECODERS = ("base64 -d", "base64 -D", "openssl base64 -d")
_MOST_SHOWN = 200
_LONGEST_PATH = 4096


def _between(data: bytes, opening: bytes, closing: bytes) -> bytes:
    at = data.find(b"\n" + opening)
    if at < 0:
        return b""
    start = at + 1 + len(opening)
    end = data.find(closing, start)
    return data[start:end] if end >= 0 else b""


def _number(text: str | None, base: int, default: int, *, most: int) -> int:
    try:
        number = int(text or "", base)
    except ValueError:
        return default
    return number if 0 <= number <= most else default


def _shown(text: str) -> str:
    """Text that a person is shown, whoever wrote it."""
    return "".join(c for c in text.strip() if c.isprintable())[:_MOST_SHOWN]


def _word(text: str) -> str:
    """Text that can be an argument of a command, else nothing."""
    return text if len(text) <= _LONGEST_PATH and "\0" not in text else ""


def _path(text: str) -> str:
    """An absolute path, else nothing."""
    return _word(text) if text.startswith("/") else ""
