"""Which files a search sees: ripgrep's rules about `--glob`, ignore files, repositories and hidden names.

Sources: the `ignore` crate (order of precedence), gitignore(5). Pure: what the remote holds is handed in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from pybridge.host.glob_pattern import GlobSyntaxError
from pybridge.host.ignore_line import IgnoreLine

MOST_RULES = 10_000
"""Rules of one ignore file; what follows counts for nothing. A file of megabytes would take minutes to read."""

LONGEST_PATH = 8192
"""Bytes; no system takes a longer path, so no tool could do anything with it."""

GIT_CONTENTS = IgnoreLine.parse("**/.git/**")
"""Searches never look into `.git` folders."""


class RuleSource(IntEnum):
    """Kinds of ignore files, the strongest first."""

    RGIGNORE = 0
    IGNORE = 1
    GITIGNORE = 2
    EXCLUDE = 3  # .git/info/exclude
    GLOBAL = 4  # core.excludesFile

    @property
    def needs_repository(self) -> bool:
        return self >= RuleSource.GITIGNORE


@dataclass(frozen=True)
class IgnoreFile:
    """The rules of one ignore file.

    Args:
        folder: absolute path of the folder the rules are relative to.
        rules: the last one that matches decides.
    """

    source: RuleSource
    folder: bytes
    rules: tuple[IgnoreLine, ...]

    @classmethod
    def parse(cls, source: RuleSource, folder: bytes, content: bytes) -> IgnoreFile:
        """Read an ignore file's content; a line that is no valid glob counts for nothing, as in ripgrep."""
        rules: list[IgnoreLine] = []
        text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
        for line in text.split("\n"):
            if "\0" in line:
                continue  # no path holds one, and no argument of find
            try:
                rule = IgnoreLine.parse(line.removesuffix("\r"))
            except GlobSyntaxError:
                continue
            if rule is not None:
                rules.append(rule)
            if len(rules) == MOST_RULES:
                break
        return cls(source, folder, tuple(rules))


@dataclass
class Visibility:
    """Decides about paths below `root` (an absolute path with no symlink in it).

    Args:
        override: the `--glob` of the search, None without one.
        hidden: hidden names are searched too.
        files: the ignore files of the root, its parents and its subfolders.
        repositories: absolute folders that hold a `.git`.
        everywhere: the user's own ignore file for all repositories, relative to the root.
    """

    root: bytes
    override: IgnoreLine | None = None
    hidden: bool = False
    files: Sequence[IgnoreFile] = ()
    repositories: frozenset[bytes] = frozenset()
    everywhere: Sequence[IgnoreFile] = ()
    _folders: dict[bytes, bool] = field(default_factory=dict, repr=False)
    _chains: dict[bytes, list[IgnoreFile]] = field(default_factory=dict, repr=False)
    _by_folder: dict[bytes, list[IgnoreFile]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for file in self.files:
            self._by_folder.setdefault(file.folder, []).append(file)

    def shows(self, path: bytes) -> bool:
        """Whether the search sees the file `path` (relative to the root, without `./`)."""
        if len(path) > LONGEST_PATH:
            return False
        folder = path.rpartition(b"/")[0]
        return self._enters(folder) and self._admits(path, folder, is_dir=False)

    def _enters(self, folder: bytes) -> bool:
        unknown: list[bytes] = []  # from the folder upwards; a tree may be deeper than calls can be
        while folder and folder not in self._folders:
            unknown.append(folder)
            folder = folder.rpartition(b"/")[0]
        known = self._folders[folder] if folder else True
        for below in reversed(unknown):
            known = known and self._admits(below, below.rpartition(b"/")[0], is_dir=True)
            self._folders[below] = known
        return known

    def _admits(self, path: bytes, parent: bytes, *, is_dir: bool) -> bool:
        if GIT_CONTENTS is not None and GIT_CONTENTS.matches(path, is_dir=is_dir):
            return False
        if self.override is not None:
            if self.override.matches(path, is_dir=is_dir):
                return not self.override.negated
            if not self.override.negated and not is_dir:
                return False
        ignored = self._ignored(path, parent, is_dir=is_dir)
        if ignored is None:
            return self.hidden or not path.rpartition(b"/")[2].startswith(b".")
        return not ignored

    def _ignored(self, path: bytes, parent: bytes, *, is_dir: bool) -> bool | None:
        """What the ignore files say: True ignored, False expressly not, None nothing."""
        absolute = join(self.root, path)
        for file in self._chain(parent):
            relative = absolute[len(file.folder.rstrip(b"/")) + 1 :]
            for rule in reversed(file.rules):
                if rule.matches(relative, is_dir=is_dir):
                    return not rule.negated
        return None

    def _chain(self, parent: bytes) -> list[IgnoreFile]:
        """The ignore files that speak about the names in a folder, the strongest first."""
        chain = self._chains.get(parent)
        if chain is None:
            chain = self._chains[parent] = self._applicable(join(self.root, parent))
        return chain

    def _applicable(self, folder: bytes) -> list[IgnoreFile]:
        above = list(ancestors(folder))
        in_repository = any(ancestor in self.repositories for ancestor in above)
        chain: list[tuple[int, int, IgnoreFile]] = []
        left_repository = False
        for depth, ancestor in enumerate(above):
            for file in self._by_folder.get(ancestor, ()):
                if not file.source.needs_repository or (in_repository and not left_repository):
                    chain.append((file.source, depth, file))
            left_repository = left_repository or ancestor in self.repositories
        if in_repository:
            chain += [(file.source, 0, file) for file in self.everywhere]
        return [file for _, _, file in sorted(chain, key=lambda item: item[:2])]


def ancestors(folder: bytes) -> Iterator[bytes]:
    """The absolute folder itself, its parent, and so on up to `/`."""
    while True:
        yield folder
        if folder == b"/":
            return
        folder = folder.rpartition(b"/")[0] or b"/"


def join(folder: bytes, relative: bytes) -> bytes:
    """`folder/relative`, or the folder itself when there is nothing to add."""
    return folder if not relative else folder.rstrip(b"/") + b"/" + relative
