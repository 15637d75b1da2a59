"""Reading remote files through a control shell: whole files, folders, and lines of what is too large for that."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pybridge.errors import FileError, FileMissingError, FilePermissionError, NotDirectoryError, ProtocolError
from pybridge.host.checksums import version_of
from pybridge.host.facts import Facts
from pybridge.host.framing import decode_text, quote
from pybridge.host.model import ABSENT, Entry, Fetch, Fetched, FileKind, Stat
from pybridge.host.slicing import parse_slice, slice_words

SLICED_AT_ONCE = 128 * 1024 * 1024
"""Lines of a file up to this size come in the reply that says how large it is. Counting those of a larger one takes a
while, and the shells for what comes back at once are few."""

_MOST_NAMES = 1024 * 1024
_KINDS = {b"f": FileKind.FILE, b"d": FileKind.DIRECTORY, b"s": FileKind.SPECIAL}
_DIGEST = re.compile(r"[0-9A-Fa-f]{1,128}")
_MODE_BITS = re.compile(r"[-bcdlps]([r-][w-][xsS-])([r-][w-][xsS-])([r-][w-][xtT-])")


def fetch_script(requests: Sequence[Fetch], facts: Facts, marker: str) -> str:
    """The script that answers `requests` in their order."""
    lines = [facts.settings]
    for request in requests:
        held = ""
        algorithm, _, digest = request.held.digest.partition(":") if request.held is not None else ("", "", "")
        # It was read from a local file, and becomes part of a script.
        if algorithm == facts.algorithm and _DIGEST.fullmatch(digest):
            held = digest
        wanted = "1" if request.entries else "''"
        if request.lines is not None:
            wanted += f" {SLICED_AT_ONCE} {slice_words(request.lines, marker)}"
        lines.append(f"pb_fetch {quote(request.path)} '{held}' {request.max_bytes} {marker} {wanted}")
    return "\n".join(lines)


def parse_fetched(output: bytes | bytearray, requests: Sequence[Fetch], facts: Facts, marker: str) -> list[Fetched]:
    """What `fetch_script` printed.

    Raises:
        ProtocolError: it is not of that form.
    """
    ending = b"\0" + marker.encode() + b" "
    answers: list[Fetched] = []
    at = 0
    for request in requests:
        stop = output.find(ending, at)
        line_end = output.find(b"\n", stop)
        if stop < 0 or line_end < 0:
            raise ProtocolError(f"the remote's answer about {request.path} is cut short")
        status = bytes(output[stop + len(ending) : line_end])
        answers.append(_parse_one(output, at, stop, status, request, facts, marker))
        at = line_end + 1
    return answers


def _parse_one(
    output: bytes | bytearray, at: int, stop: int, status: bytes, request: Fetch, facts: Facts, marker: str
) -> Fetched:
    fields: list[bytes] = []
    while len(fields) < 4 and at <= stop:
        end = output.find(b"\0", at, stop)
        end = stop if end < 0 else end
        fields.append(bytes(output[at:end]))
        at = end + 1
    if len(fields) < 4:
        raise ProtocolError(f"the remote's answer about {request.path} is malformed")
    kind, real_bytes, stat_bytes, how = fields
    # A remote that sends more than was asked for costs no second copy of it.
    size = max(0, stop - at)
    rest = bytes(memoryview(output)[at:stop]) if size <= max(request.max_bytes, _MOST_NAMES) else b""
    path, real = request.path, decode_text(real_bytes)
    if kind == b"m":
        if how == b"denied":
            denied = FilePermissionError(
                f"Permission denied: {path}",
                path=path,
                next_step=f"{facts.user or 'the remote user'} may not look into one of its folders.",
            )
            return Fetched(path, real, error=denied)
        if how == b"loop":
            loop = FileError(f"{path} is a symlink that leads nowhere: they go in a circle.", path=path)
            return Fetched(path, real, error=loop)
        siblings = tuple(decode_text(name) for name in rest.split(b"\0") if name)
        return Fetched(path, real, version=ABSENT, siblings=siblings, nearest=decode_text(stat_bytes))
    stat = parse_stat(stat_bytes, kind)
    if how == b"e":
        unreadable = FilePermissionError(
            f"Permission denied: {path}", path=path, next_step=f"{facts.user} may not read this file on the remote."
        )
        return Fetched(path, real, stat, error=unreadable)
    if how == b"u":
        return Fetched(path, real, stat, version=request.held, unchanged=True)
    if how == b"l":
        return Fetched(path, real, stat, entries=_entries(bytes(memoryview(output)[at:stop])))
    if how == b"p":
        try:
            return Fetched(path, real, stat, piece=parse_slice(path, rest, facts, marker))
        except FileError as error:
            return Fetched(path, real, stat, error=error)
    if how != b"y":
        return Fetched(path, real, stat)
    if size > request.max_bytes:
        return Fetched(path, real, stat)
    if status != b"0":
        failed = FileError(
            f"The remote could not read {path} to its end.",
            path=path,
            next_step="Look at it with bash: `ls -l`, `dmesg`.",
        )
        return Fetched(path, real, stat, error=failed)
    return Fetched(path, real, stat, version=version_of(rest, facts.algorithm), content=rest)


def parse_stat(line: bytes, kind: bytes) -> Stat:
    """Attributes as `pb_stat` prints them.

    Args:
        line: what it printed.
        kind: f, d or s, as `pb_fetch` names them.

    Raises:
        ProtocolError: it is not of that form.
    """
    words = line.decode("ascii", "replace").split()
    if len(words) < 4 or kind not in _KINDS:
        raise ProtocolError("the remote's stat answered in an unknown form")
    try:
        size, modified, links = int(words[0]), float(words[2]), int(words[3])
    except ValueError:
        raise ProtocolError("the remote's stat answered in an unknown form") from None
    if not (0 <= size < 2**63 and 0 <= links < 2**63 and abs(modified) < 2**40):  # no NaN either
        raise ProtocolError("the remote's stat answered what cannot be")
    return Stat(_KINDS[kind], size, parse_mode(words[1]), modified, links)


def parse_mode(text: str) -> int:
    """Permission bits from octal digits, or from the letters `ls -l` shows; 0 for neither."""
    if text and all(c in "01234567" for c in text):
        return int(text, 8) & 0o7777
    letters = _MODE_BITS.match(text)
    if letters is None:
        return 0
    mode = 0
    for place, group in enumerate(letters.groups()):
        bits = 4 * (group[0] == "r") + 2 * (group[1] == "w") + (group[2] in "xst")
        mode |= bits << (6 - 3 * place)
        if group[2] in "sStT":
            mode |= 0o4000 >> place
    return mode


def list_script(path: str, facts: Facts) -> str:
    """The script that names everything in a folder; exit status 3 no folder, 4 unreadable."""
    quoted = quote(path)
    return (
        f"{facts.settings}\n[ -e {quoted} ] || exit 2\n[ -d {quoted} ] || exit 3\n[ -r {quoted} ] && [ -x {quoted} ] ||"
        f" exit 4\npb_list {quoted}"
    )


def parse_list(output: bytes, status: int, path: str) -> list[Entry]:
    """Entries as the remote's shell lists them.

    Raises:
        FileMissingError, NotDirectoryError, FilePermissionError: as the exit status says.
    """
    match status:
        case 2:
            raise FileMissingError(f"No such folder: {path}", path=path)
        case 3:
            raise NotDirectoryError(f"Not a folder: {path}", path=path)
        case 4:
            raise FilePermissionError(
                f"Permission denied: {path}", path=path, next_step="The remote user may not list this folder."
            )
    return list(_entries(output))


def _entries(output: bytes) -> tuple[Entry, ...]:
    """What `pb_list` printed."""
    names = (name for name in output.split(b"\0") if name[:1] in (b"d", b"f"))
    return tuple(Entry(decode_text(name[1:]), name[:1] == b"d") for name in names)
