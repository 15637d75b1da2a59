"""Compare-and-swap of remote files: the one request that puts new contents in place, and the reading of its answer.

The request (laws 2 and 3) stages and verifies every new content beside its target, gives it the target's attributes,
compares every target with the version it is expected to hold, and only then replaces them, back to back. What was
replaced is looked at once more: somebody who wrote into it in that very moment has it back. A failure on the way takes
back what was done. Where replacing would lose something (hard links, an owner, an ACL, a bind mount, a folder that is
not writable), the content is refilled in place from the verified temporary, with the old content kept beside it until
the new one is verified.
"""

from __future__ import annotations

import contextlib
import logging
import posixpath
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from pybridge.errors import (
    ChangeLeftError,
    FileError,
    FileMissingError,
    FilePermissionError,
    IsDirectoryError,
    NotDirectoryError,
    OutcomeUnknownError,
    ProtocolError,
    StorageError,
    UnverifiedWriteError,
    defused,
)
from pybridge.host.checksums import version_of
from pybridge.host.difference import Difference, difference
from pybridge.host.facts import Facts
from pybridge.host.fetching import parse_stat
from pybridge.host.framing import Reply, decode_text
from pybridge.host.model import ABSENT, Change, FileVersion, Stat

log = logging.getLogger(__name__)

TEMPORARY_PREFIX = ".pybridge-"
"""Starts with a dot and has no further one: a watched or included folder does not load it by its extension."""


@dataclass(frozen=True)
class Step:
    """One change with everything its script needs.

    Args:
        change: what is asked.
        real: the target with symlinks resolved, as it was when the change was computed.
        mode: permission bits of a new file, or those known of the old one.
        temporary: where the new content is staged.
        elsewhere: where it is staged if the target's folder is not writable, or None.
        version: the version that will stand afterwards.
        umask: permission bits that new files and folders do not get.
        uploaded: the temporary that already holds the content, or None: the request carries it.
        root: a folder above the target that must exist, or "": it is not created with the others.
        top: the topmost of the folders that must be made for a new file, or "" for none.
        difference: from what is there, where only that is sent.
    """

    change: Change
    real: str
    mode: int
    temporary: str
    elsewhere: str | None
    version: FileVersion
    umask: int
    uploaded: str | None = None
    root: str = ""
    top: str = ""
    difference: Difference | None = None

    @property
    def sent(self) -> bytes:
        """What of the content has to be sent."""
        return self.difference.new if self.difference is not None else self.change.content or b""

    @property
    def creates(self) -> bool:
        """The file is a new one."""
        return self.change.content is not None and self.change.expected == ABSENT

    @property
    def creation_umask(self) -> str:
        """The umask to make the temporary with, so that it has its final permissions from the start; "" for private.

        A folder with default ACL entries overrules the umask, which a later chmod would undo.
        """
        given = self.change.mode_from is not None or self.change.mode is not None
        natural = self.creates and not given and self.umask & 0o600 == 0
        return f"{self.umask:o}" if natural else ""

    @property
    def temporaries(self) -> tuple[str, ...]:
        """Every path this step may leave behind when the link dies."""
        bases = [self.temporary] + ([self.elsewhere] if self.elsewhere else [])
        return tuple(path for base in bases for path in (base, base + "-old", base + "-was"))


def plan(change: Change, real: str, mode: int, facts: Facts, *, workdir: str | None = None, nearest: str = "") -> Step:
    """A step with names of its own for the temporaries.

    Args:
        workdir: the folder worked in; if it is gone, nothing is created in its place.
        nearest: for a new file, the nearest folder above it that is there.
    """
    folder = posixpath.dirname(real)
    name = TEMPORARY_PREFIX + secrets.token_hex(8)
    elsewhere = None
    if facts.scratch is not None and facts.scratch != folder:
        elsewhere = posixpath.join(facts.scratch, name)
    version = ABSENT if change.content is None else version_of(change.content, facts.algorithm)
    root = workdir if workdir is not None and real.startswith(workdir.rstrip("/") + "/") else ""
    top = top_folder(folder, nearest) if nearest else ""
    differs = None
    if facts.head_c and change.content is not None and change.expected != ABSENT:
        differs = difference(change.base, change.content)
    return Step(
        change,
        real,
        mode,
        posixpath.join(folder, name),
        elsewhere,
        version,
        facts.umask,
        root=root,
        top=top,
        difference=differs,
    )


def top_folder(folder: str, nearest: str) -> str:
    """The topmost folder that must be made for `folder` to be there, "" for none.

    Args:
        folder: remote absolute path.
        nearest: the nearest folder above it, or itself, that is there.
    """
    if folder == nearest or not posixpath.join(folder, "").startswith(posixpath.join(nearest, "")):
        return ""
    below = folder[len(posixpath.join(nearest, "")) :]
    return posixpath.join(nearest, below.partition("/")[0])


def conflicts(reply: Reply, steps: Sequence[Step]) -> list[Step]:
    """The steps whose target is not the expected version, none if the changes were made.

    Raises:
        FileError: a step failed; nothing of the whole request stands, unless the error says otherwise.
    """
    lines = [line.split() for line in reply.stdout.decode("ascii", "replace").split("\n")]
    for words in lines:
        match words:
            case ["left", index] if (step := _numbered(index, steps)) is not None:
                log.warning("taking back failed: %r, %r", reply.stdout[-1000:], reply.stderr[-1000:])
                raise not_taken_back(step)
    for words in lines:
        match words:
            case ["done"]:
                return []
            case ["conflict", *indices]:
                differing = [_numbered(index, steps) for index in indices]
                if differing and None not in differing:
                    return [step for step in differing if step is not None]
            case ["error", index, stage] if (step := _numbered(index, steps)) is not None:
                raise failure(step, stage, decode_text(reply.stderr))
    raise OutcomeUnknownError(
        "The remote shell ended a write without saying how it went.",
        path=steps[0].change.path,
        next_step="Read the file again before you go on.",
    )


def created(reply: Reply, steps: Sequence[Step]) -> dict[int, Stat]:
    """What the new files of a request are, by the number of their step; without those of which it is not known."""
    found: dict[int, Stat] = {}
    for line in reply.stdout.split(b"\n"):
        word, _, rest = line.partition(b" ")
        index, _, stat = rest.partition(b" ")
        if word == b"made" and (step := _numbered(index.decode("ascii", "replace"), steps)) and step.creates:
            with contextlib.suppress(ProtocolError):
                found[int(index)] = parse_stat(stat, b"f")
    return found


def _numbered(index: str, steps: Sequence[Step]) -> Step | None:
    """The step of that number, if there is one."""
    return steps[int(index)] if index.isdecimal() and len(index) < 8 and int(index) < len(steps) else None


_REASONS: tuple[tuple[str, type[FileError], str], ...] = (
    (r"No space left on device", StorageError, "The remote's disk is full."),
    (r"[Qq]uota exceeded", StorageError, "The remote user's disk quota is used up."),
    (r"Read-only file system", StorageError, "The file system is mounted read-only."),
    (r"Permission denied|Operation not permitted", FilePermissionError, "The remote user may not write there."),
    (r"Not a directory|File exists", NotDirectoryError, "A file stands where one of its folders is meant."),
    (r"Is a directory", IsDirectoryError, "A folder stands where the file is meant."),
    (r"File name too long", FileError, "The name is too long for the remote's file system."),
)


def not_taken_back(step: Step) -> ChangeLeftError:
    """The error when a change of several was made and could not be taken back after another had failed."""
    path = step.change.path
    places = " or ".join(f"{base}-*" for base in (step.temporary, step.elsewhere) if base)
    return ChangeLeftError(
        f"A change of {path} failed half-way and could not be taken back at once.",
        path=path,
        next_step=f"What it held before lies in {places}; the next connection puts a torn file right. Read it again.",
    )


def failure(step: Step, stage: str, stderr: str) -> FileError:
    """The error that a step's messages amount to.

    Args:
        stage: which part of the step failed.
        stderr: what the remote's programs said.
    """
    path = step.change.path
    kept = "The file was not changed."
    if stage == "workdir":
        return FileMissingError(
            f"Cannot write {path}: the folder {step.root} does not exist on the remote any more.",
            path=path,
            next_step="Nothing was created.",
        )
    if stage == "verify" and not stderr.strip():
        return UnverifiedWriteError(
            f"What arrived at the remote for {path} is not what was sent.", path=path, next_step=kept + " Try again."
        )
    for pattern, error, reason in _REASONS:
        if re.search(pattern, stderr):
            return error(f"Cannot write {path}: {reason}", path=path, next_step=kept)
    said = defused(stderr.strip().split("\n")[-1])[:600] if stderr.strip() else f"it failed at the step {stage!r}"
    return FileError(f"Cannot write {path}: {said}", path=path, next_step=kept)
