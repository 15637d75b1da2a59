"""Reading remote files through a control shell: whole files, folders, and lines of what is too large for that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pybridge.errors import FileError, FileMissingError, FilePermissionError, NotDirectoryError, ProtocolError
from pybridge.host.checksums import version_of
from pybridge.host.facts import Facts
from pybridge.host.fetching_together import divided, groups, may_be_named
from pybridge.host.framing import decode_text, quote
from pybridge.host.model import ABSENT, Entry, Fetch, Fetched, FileKind, FileVersion, Stat
from pybridge.host.slicing import parse_slice, slice_words

SLICED_AT_ONCE = 128 * 1024 * 1024
"""Lines of a file up to this size come in the reply that says how large it is. Counting those of a larger one takes a
while, and the shells for what comes back at once are few."""

_MOST_NAMES = 1024 * 1024
_KINDS = {b"f": FileKind.FILE, b"d": FileKind.DIRECTORY, b"s": FileKind.SPECIAL}
_DIGEST = re.compile(r"[0-9A-Fa-f]{1,128}")
_MODE_BITS = re.compile(r"[-bcdlps]([r-][w-][xsS-])([r-][w-][xsS-])([r-][w-][xtT-])")


def fetch_script(requests: Sequence[Fetch], facts: Facts, marker: str, *, together: bool = True) -> str:
    """The script that answers `requests` in their order.

    Args:
        together: whether small files are fetched together.
    """
    lines = [f"{facts.settings} pb_asked="]
    if not together:
        return "\n".join(lines + [_singly(request, facts, marker) for request in requests])
    for group in groups(requests, facts):
        if len(group) == 1:
            lines.append(_singly(requests[group[0]], facts, marker))
            continue
        named = [number for number in group if may_be_named(requests[number])]
        lines += [f"P{number}={quote(requests[number].path)}" for number in named]
        lines.append(f"pb_gather '{' '.join(map(str, named))}'")
        for number in group:
            request = requests[number]
            one = _singly(request, facts, marker)
            if number in named:
                one = f"pb_gathered {number} '{_held(request, facts)}' {request.max_bytes} {marker} || {one}"
            lines.append(one)
        lines.append(f"pb_contents {marker}")
    return "\n".join(lines)


def _singly(request: Fetch, facts: Facts, marker: str) -> str:
    wanted = "1" if request.entries else "''"
    if request.lines is not None:
        wanted += f" {SLICED_AT_ONCE} {slice_words(request.lines, marker)}"
    return f"pb_fetch {quote(request.path)} '{_held(request, facts)}' {request.max_bytes} {marker} {wanted}"


def _held(request: Fetch, facts: Facts) -> str:
    algorithm, _, digest = request.held.digest.partition(":") if request.held is not None else ("", "", "")
    # It was read from a local file, and becomes part of a script.
    return digest if algorithm == facts.algorithm and _DIGEST.fullmatch(digest) else ""


def parse_fetched(
    output: bytes | bytearray, requests: Sequence[Fetch], facts: Facts, marker: str, *, together: bool = True
) -> list[Fetched | None]:
    """What `fetch_script` printed.

    Returns:
        None for a file that changed while it was fetched together with others: it has to be fetched singly.

    Raises:
        ProtocolError: it is not of that form.
    """
    answers = _Answers(output, b"\0" + marker.encode() + b" ")
    found: list[Fetched | None] = []
    for group in groups(requests, facts) if together else [(number,) for number in range(len(requests))]:
        gathered: dict[int, tuple[Fetched, int, str]] = {}
        for number in group:
            request = requests[number]
            at, stop, status = answers.next(request.path)
            one = _parse_one(output, at, stop, status, request, facts, marker)
            if isinstance(one, Fetched):
                found.append(one)
                continue
            file, digest = one
            gathered[number] = file, file.stat.size if file.stat else 0, digest
            found.append(file)
        if len(group) == 1:
            if gathered:
                raise ProtocolError(f"the remote's answer about {requests[group[0]].path} lacks its content")
            continue
        at, stop, _ = answers.next(requests[group[0]].path)
        contents = bytes(memoryview(output)[at:stop])
        parts = divided(contents, [(size, digest) for _, size, digest in gathered.values()], facts.algorithm)
        for (number, (file, size, digest)), content in zip(gathered.items(), parts, strict=True):
            version = FileVersion(f"{facts.algorithm}:{digest}", size)
            found[number] = None if content is None else replace(file, version=version, content=content)
    return found


class _Answers:
    """The parts of an output, each up to an ending.

    Args:
        ending: what each ends with, before its status and the end of the line.
    """

    def __init__(self, output: bytes | bytearray, ending: bytes) -> None:
        self._output = output
        self._ending = ending
        self._at = 0

    def next(self, path: str) -> tuple[int, int, bytes]:
        """Where the next part begins and ends, and its status.

        Raises:
            ProtocolError: there is none; `path` is what it should be about.
        """
        at, output = self._at, self._output
        stop = output.find(self._ending, at)
        line_end = output.find(b"\n", stop)
        if stop < 0 or line_end < 0:
            raise ProtocolError(f"the remote's answer about {path} is cut short")
        self._at = line_end + 1
        return at, stop, bytes(output[stop + len(self._ending) : line_end])


def _parse_one(
    output: bytes | bytearray, at: int, stop: int, status: bytes, request: Fetch, facts: Facts, marker: str
) -> Fetched | tuple[Fetched, str]:
    """One answer; of a file whose content comes later, also its digest."""
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
    if how == b"g":
        digest = decode_text(rest)
        if not (_DIGEST.fullmatch(digest) and stat.kind is FileKind.FILE and stat.size <= request.max_bytes):
            raise ProtocolError(f"the remote's answer about {path} is malformed")
        return Fetched(path, real, stat), digest
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
