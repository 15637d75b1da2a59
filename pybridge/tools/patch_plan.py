"""What a patch makes of the files it names, all verified before anything is asked or written. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pybridge.editing.encoding import Document, decode, encode
from pybridge.editing.file_patch import FilePatch, PatchKind, verification_failed
from pybridge.editing.unified_diff import FileDiff, patch_diff, removal_diff
from pybridge.host.model import ABSENT, Change, Fetched, FileKind, FileVersion
from pybridge.tools.remote_files import require_content, require_readable


@dataclass(frozen=True)
class Section:
    """One file of a patch.

    Args:
        patch: what is to be done.
        path: remote absolute path of the file.
        move_to: remote absolute path it gets, or None.
    """

    patch: FilePatch
    path: str
    move_to: str | None

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path it touches."""
        return (self.path,) if self.move_to is None else (self.path, self.move_to)


@dataclass(frozen=True)
class Part:
    """One file of a patch, verified.

    Args:
        kind: `add`, `update`, `move` or `delete`.
        path: remote absolute path.
        diff: the change as a person sees it.
        move_to: the new path of a moved file.
    """

    kind: str
    path: str
    diff: FileDiff
    move_to: str | None = None

    def to_json(self, relative_path: str) -> dict[str, object]:
        """The form OpenCode's screen draws from."""
        shown: dict[str, object] = {
            "filePath": self.path,
            "relativePath": relative_path,
            "type": self.kind,
            "patch": self.diff.patch,
            "additions": self.diff.additions,
            "deletions": self.diff.deletions,
        }
        return shown if self.move_to is None else {**shown, "movePath": self.move_to}


@dataclass(frozen=True)
class PatchPlan:
    """A verified patch.

    Args:
        parts: its files in the patch's order.
        changes: what is to be put in place.
        touched: every file it touches, as it was when verified.
    """

    parts: tuple[Part, ...]
    changes: tuple[Change, ...]
    touched: tuple[Fetched, ...]

    @property
    def diff(self) -> str:
        """The diffs of all files."""
        return "".join(part.diff.patch + "\n" for part in self.parts)

    def summary(self, shown: Callable[[str], str]) -> list[str]:
        """One line a file: what became of it, and its name as `shown` gives it."""
        letters = {"add": "A", "delete": "D"}
        return [f"{letters.get(part.kind, 'M')} {shown(part.move_to or part.path)}" for part in self.parts]


@dataclass
class _File:
    """A file while the patch is played through: what stands there, and what stood there before the patch."""

    path: str
    fetched: Fetched
    version: FileVersion
    original: bytes | None
    document: Document | None
    mode_from: str | None = None
    content: bytes | None = field(init=False)

    def __post_init__(self) -> None:
        self.content = self.original

    def put(self, document: Document | None) -> None:
        self.document = document
        self.content = None if document is None else encode(document, path=self.path)


class PatchPlanning:
    """Verifies a patch file by file. Several sections for one file follow each other.

    Args:
        files: what stands at each path the patch touches.
        encoding: codec of files that are not UTF-8, if the user named one.
    """

    def __init__(self, files: Mapping[str, Fetched], encoding: str | None) -> None:
        self._files = files
        self._encoding = encoding
        self._states: dict[str, _File] = {}
        self._parts: list[Part] = []

    def add(self, section: Section) -> None:
        """Verify the patch's next file.

        Raises:
            PatchError: the patch does not fit.
            FileError: the file cannot be read, or its encoding has not what the patch puts there.
        """
        self._parts.append(_play(section, self._state))

    def plan(self) -> PatchPlan:
        """What the files verified so far come to."""
        states = self._states.values()
        return PatchPlan(tuple(self._parts), tuple(_changes(states)), tuple(s.fetched for s in states))

    def _state(self, path: str) -> _File:
        fetched = self._files[path]
        if fetched.real not in self._states:
            self._states[fetched.real] = _open(path, fetched, self._encoding)
        return self._states[fetched.real]


def _open(path: str, fetched: Fetched, encoding: str | None) -> _File:
    require_readable(fetched)
    if fetched.kind is FileKind.MISSING:
        return _File(path, fetched, ABSENT, None, None)
    if fetched.kind is FileKind.DIRECTORY:
        return _File(path, fetched, ABSENT, None, None)
    content, version = require_content(fetched)
    return _File(path, fetched, version, content, decode(content, encoding=encoding))


def _play(section: Section, state: Callable[[str], _File]) -> Part:
    patch, path = section.patch, section.path
    match patch.kind:
        case PatchKind.ADD:
            file = state(path)
            _require_free(file, "add")
            file.put(Document().with_text(patch.apply("", path=path)))
            return Part("add", path, patch_diff(path, "", _text(file)))
        case PatchKind.DELETE:
            file = state(path)
            old = _require(file, "delete")
            patch.apply(old.text, path=path)  # a unified diff says what it removes
            file.put(None)
            return Part("delete", path, removal_diff(path, old.shown))
        case PatchKind.UPDATE:
            file = state(path)
            old = _require(file, "update")
            new = old.with_text(patch.apply(old.text, path=path))
            diff = patch_diff(path, old.shown, new.shown)
            if section.move_to is None or state(section.move_to) is file:
                file.put(new)
                return Part("update", path, diff)
            target = state(section.move_to)
            _require_free(target, "move to")
            target.put(new)
            target.mode_from = path
            file.put(None)
            return Part("move", path, diff, section.move_to)


def _require(file: _File, purpose: str) -> Document:
    # A folder has no document, and is named in the same words by the built-in.
    if file.document is None:
        raise verification_failed(f"Failed to read file to {purpose}: {file.path}")
    return file.document


def _require_free(file: _File, purpose: str) -> None:
    if file.fetched.kind is FileKind.DIRECTORY:
        raise verification_failed(f"{file.path} is a directory, not a file")
    if file.document is not None:
        raise verification_failed(
            f"File to {purpose} already exists: {file.path}",
            "Use *** Update File to change it, or *** Delete File before it to replace it. Nothing was written.",
        )


def _text(file: _File) -> str:
    return "" if file.document is None else file.document.shown


def _changes(states: Iterable[_File]) -> list[Change]:
    changed = [s for s in states if s.content != s.original]
    # New contents first: should the link die in the middle, a moved file is there twice rather than not at all.
    changed.sort(key=lambda s: s.content is None)
    return [Change(s.path, s.version, s.content, s.mode_from) for s in changed]
