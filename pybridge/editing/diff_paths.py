"""The file names of a unified diff: prefixes, quotes and time stamps off, renames recognised.

Format: git-diff(1), "Generating patch text with -p", and POSIX diff -u.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pybridge.editing.file_patch import verification_failed

DEV_NULL = "/dev/null"

_PREFIX = re.compile(r"[abciow12]/")  # a/ and b/, and those of git's diff.mnemonicPrefix
_BACKUP = (".orig", ".old", ".bak", "~")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_CONTROL = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13}


@dataclass
class FileNames:
    """What the lines before the hunks of one file say about its names.

    Args:
        source: of the `---` line.
        target: of the `+++` line.
        renamed_from: of git's extended header; never prefixed.
        renamed_to: of git's extended header; never prefixed.
        created: git says `new file mode`.
        deleted: git says `deleted file mode`.
    """

    source: str | None = None
    target: str | None = None
    renamed_from: str | None = None
    renamed_to: str | None = None
    created: bool = False
    deleted: bool = False

    @classmethod
    def from_git(cls, line: str) -> FileNames:
        """The names in a `diff --git` line, as far as they are the same on both sides; else they are told later."""
        rest = line.removeprefix("diff --git ")
        names = cls()
        if rest.startswith('"'):
            quoted = re.match(r'("(?:[^"\\]|\\.)*") (.+)', rest)
            if quoted:
                names.source, names.target = unquote(quoted[1]), unquote(quoted[2])
            return names
        # Names may hold spaces, so the middle is where both halves agree after their prefixes.
        # The prefixes are two characters or none, so it is near the middle in any case.
        middle = len(rest) // 2
        for at in range(max(0, middle - 2), min(len(rest), middle + 3)):
            if rest[at] == " " and _unprefixed(rest[:at]) == _unprefixed(rest[at + 1 :]):
                names.source, names.target = rest[:at], rest[at + 1 :]
        return names

    def read_extended(self, line: str) -> None:
        """Take in a line of git's extended header; other lines mean nothing."""
        if line.startswith("rename from "):
            self.renamed_from = unquote(line.removeprefix("rename from "))
        elif line.startswith("rename to "):
            self.renamed_to = unquote(line.removeprefix("rename to "))
        elif line.startswith("copy from "):
            raise verification_failed("the diff copies a file", "Add the copy as a new file instead.")
        elif line.startswith("new file mode "):
            self.created = True
        elif line.startswith("deleted file mode "):
            self.deleted = True

    def is_complete(self) -> bool:
        """Whether the git header alone asks for something."""
        if self.renamed_from and self.renamed_to:
            return True
        return (self.created or self.deleted) and self.source is not None


def resolve_names(names: FileNames) -> tuple[str, str]:
    """The file's path before and after, `/dev/null` for none."""
    if names.renamed_from and names.renamed_to:
        return names.renamed_from, names.renamed_to
    source, target = names.source or "", names.target or ""
    if source == DEV_NULL or target == DEV_NULL:
        source, target = _known_unprefixed(source), _known_unprefixed(target)
    elif _PREFIX.match(source) and _PREFIX.match(target) and source[0] != target[0]:
        source, target = _unprefixed(source), _unprefixed(target)
    if source in ("", DEV_NULL) and target in ("", DEV_NULL):
        raise verification_failed("the diff does not name a file")
    if names.created:
        source = DEV_NULL
    if names.deleted:
        target = DEV_NULL
    if any(source == target + suffix for suffix in _BACKUP):
        source = target
    return source, target


def header_path(line: str) -> str:
    """The name in a `---` or `+++` line, without time stamp and quotes."""
    name = line[4:].removesuffix("\r").split("\t", 1)[0].strip(" ")
    return unquote(name)


def unquote(name: str) -> str:
    """A name as git quotes it (C escapes, octal bytes), or the name as it is."""
    name = name.strip()
    if len(name) < 2 or not (name.startswith('"') and name.endswith('"')):
        return name
    raw = _ESCAPE.sub(_unescaped, name[1:-1].encode("utf-8", "surrogatepass"))
    return raw.decode("utf-8", "surrogateescape")


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    if len(code) == 3:
        return bytes([int(code, 8) & 0xFF])
    return bytes([_CONTROL[code]]) if code in _CONTROL else code


def _unprefixed(path: str) -> str:
    return path[2:] if _PREFIX.match(path) else path


def _known_unprefixed(path: str) -> str:
    return path[2:] if path.startswith(("a/", "b/")) else path
