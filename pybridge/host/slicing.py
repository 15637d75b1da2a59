"""Cutting lines out of a remote file that is too large to fetch."""

from __future__ import annotations

import re

from pybridge.errors import FileError
from pybridge.host.facts import Facts
from pybridge.host.framing import quote
from pybridge.host.model import FileVersion, Lines, Slice

_DIGEST = re.compile(r"[0-9A-Fa-f]{1,128}")


def slice_words(lines: Lines, marker: str) -> str:
    """What `pb_slice` is told after the path."""
    return f"{lines.first} {lines.most} {lines.longest} {marker} {lines.version_up_to}"


def slice_script(path: str, lines: Lines, facts: Facts, marker: str) -> str:
    """The script that cuts lines out of a large file."""
    return f"{facts.settings}\npb_stat {quote(path)}\npb_slice {quote(path)} {slice_words(lines, marker)}"


def parse_slice(path: str, output: bytes, facts: Facts, marker: str) -> Slice:
    """What `pb_slice` printed of a file.

    Raises:
        FileError: the remote could not read the file.
    """
    numbers, head_sign, rest = output.partition(b"\0")
    ending = b"\0" + marker.encode() + b"\n"
    head, lines_sign, rest = rest.partition(ending)
    body, end_sign, count = rest.partition(ending)
    size, digest = (*numbers.decode("ascii", "replace").split(), "", "")[:2]
    total = count.decode("ascii", "replace").strip()
    if not (head_sign and lines_sign and end_sign and total.isdigit() and len(total) < 20):
        raise FileError(f"The remote could not read {path}.", path=path, next_step="Look at it with bash: `ls -l`.")
    lines = body.split(b"\n")
    if lines and lines[-1] == b"":
        lines.pop()
    known = size.isdigit() and len(size) < 20 and _DIGEST.fullmatch(digest)
    version = FileVersion(f"{facts.algorithm}:{digest}", int(size)) if known else None
    return Slice(tuple(lines), int(total), head, version)
