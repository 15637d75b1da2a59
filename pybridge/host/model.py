"""The vocabulary of the host room: what commands, files and searches are asked for and answer with.

Remote paths are `str` decoded with surrogateescape, so bytes that are not UTF-8 survive a round trip.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pybridge.transport.process import Stream


class FileKind(enum.Enum):
    """What a remote path is, links followed."""

    FILE = "file"
    DIRECTORY = "directory"
    SPECIAL = "special"  # FIFO, socket, device
    MISSING = "missing"


@dataclass(frozen=True)
class FileVersion:
    """Which content a file held: a checksum, never a time alone.

    `digest` is `ALGORITHM:HEX` with the strongest algorithm the remote has (sha256, md5, cksum).
    """

    digest: str
    size: int


ABSENT = FileVersion("absent", -1)
"""The version of a file that is not there."""


@dataclass(frozen=True)
class Stat:
    """Attributes of a remote file, links followed."""

    kind: FileKind
    size: int
    mode: int  # permission bits, 0 when the remote cannot tell
    mtime: float  # seconds since the epoch, whole when the remote has no fractions
    links: int


@dataclass(frozen=True)
class Lines:
    """Which lines of a file are wanted.

    Args:
        first: counts from 1.
        most: at most so many.
        longest: each is cut to so many bytes.
        version_up_to: a file of at most so many bytes is read whole on the remote, to tell its version.
    """

    first: int
    most: int
    longest: int = 8004
    version_up_to: int = 0


@dataclass(frozen=True)
class Fetch:
    """Ask for one file.

    Args:
        path: remote absolute path.
        held: the version whose content the caller has; the same version there is answered without content.
        max_bytes: a larger file is answered without content (`content` None, `version` None).
        entries: what is in it is wanted, should it be a folder.
        lines: those wanted of it, should it be larger than `max_bytes`.
    """

    path: str
    held: FileVersion | None = None
    max_bytes: int = 8 * 1024 * 1024
    entries: bool = False
    lines: Lines | None = None


@dataclass(frozen=True)
class Fetched:
    """One file, as it is on the remote at one moment.

    Args:
        path: as asked.
        real: absolute path with every symlink resolved (of the nearest existing parent + rest for a missing file).
        stat: None when missing.
        version: None for folders, special files, and files over `max_bytes`; ABSENT when missing.
        content: None when there is none, when it is over `max_bytes`, or when `unchanged`.
        unchanged: the version asked with `held` still stands; use the content you hold.
        error: why it could not be read although it exists (permission, I/O error): raise it.
        siblings: for a missing file, names in its folder (bounded), for "Did you mean".
        nearest: for a missing file, the nearest folder above it that is there.
        entries: what is in a folder, in no order that matters, where that was asked for and could be told.
        piece: the lines asked for, where it is over `max_bytes`; None where it is so large that they are fetched alone.
    """

    path: str
    real: str
    stat: Stat | None = None
    version: FileVersion | None = None
    content: bytes | None = None
    unchanged: bool = False
    error: Exception | None = None
    siblings: tuple[str, ...] = ()
    nearest: str = ""
    entries: tuple[Entry, ...] | None = None
    piece: Slice | None = None

    @property
    def kind(self) -> FileKind:
        return FileKind.MISSING if self.stat is None else self.stat.kind


@dataclass(frozen=True)
class Slice:
    """Some lines of a file, cut out on the remote.

    Args:
        lines: the bytes of each line, line ends removed, each cut to the asked length in bytes.
        total_lines: lines in the whole file as OpenCode's read counts them (a last line without newline counts).
        head: the first bytes of the file (up to 4096), to tell text from binary.
        version: of the whole file just before the lines were cut out; None when it was not asked for.
    """

    lines: tuple[bytes, ...]
    total_lines: int
    head: bytes
    version: FileVersion | None = None


@dataclass(frozen=True)
class Entry:
    """One name in a remote folder; `directory` is true for folders and for symlinks to folders."""

    name: str
    directory: bool


@dataclass(frozen=True)
class Change:
    """One file to be put in place, or removed, if it still is the expected version.

    Args:
        path: remote absolute path; symlinks are written through.
        expected: the version the change was computed from (ABSENT: the file must not exist).
        content: the whole new content; None removes the file.
        mode_from: path whose mode the new file takes (a move); None: keep own mode, new files 0666 & ~umask.
        mode: permission bits a new file takes, instead; a file that is there keeps its own.
        real: where the path led when the change was computed, and must lead still; None: wherever it was last seen to.
        base: the content of `expected`, by who has it: then only what differs needs to be sent.
    """

    path: str
    expected: FileVersion
    content: bytes | None
    mode_from: str | None = None
    mode: int | None = None
    real: str | None = None
    base: bytes | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Applied:
    """One change made: the version that now stands (ABSENT after a removal)."""

    path: str
    version: FileVersion
    notes: tuple[str, ...] = ()


class VersionConflict(Exception):
    """A target is no longer the expected version; nothing of the whole request was changed.

    Args:
        current: each target of the request that differs, as it is now.
    """

    def __init__(self, current: tuple[Fetched, ...]) -> None:
        super().__init__("changed: " + ", ".join(f.path for f in current))
        self.current = current


@dataclass(frozen=True)
class Command:
    """A command line of the user's, run in the user's remote shell and login environment.

    Args:
        text: handed to the shell as is.
        workdir: remote absolute folder; it must exist or nothing runs.
        timeout: seconds until the whole process tree is killed; None for no limit.
        abort: setting it kills the whole process tree.
        on_output: called with each piece in order of arrival.
        room: waited for after each piece, so that the sender of much output is made to wait for its reader.
        environment: variables added to the login environment.
        harmless: it changes nothing, so it may be run again: it is given up as soon as the link does not answer.
    """

    text: str
    workdir: str
    timeout: float | None = None
    abort: asyncio.Event | None = None
    on_output: Callable[[Stream, bytes], None] = field(default=lambda stream, data: None)
    room: Callable[[], Awaitable[None]] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    harmless: bool = False


@dataclass(frozen=True)
class CommandResult:
    """How a command ended. `code` and `signal` are both None after a timeout or an abort."""

    code: int | None
    signal: str | None
    timed_out: bool = False
    aborted: bool = False


@dataclass(frozen=True)
class GlobResult:
    """Absolute paths, newest first; `truncated` when there were more than the limit."""

    paths: tuple[str, ...]
    truncated: bool


@dataclass(frozen=True)
class Match:
    """One matching line; `line` counts from 1, `text` has no line end, `end` is the line's as far as it is known."""

    path: str
    line: int
    text: str
    end: str = "\n"


@dataclass(frozen=True)
class GrepResult:
    """Matching lines in the order found; `truncated` when there were more than the limit."""

    matches: tuple[Match, ...]
    truncated: bool
