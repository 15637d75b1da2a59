"""Where in the local mirror the copy of a remote file lies, and back.

Every remote absolute path has its own local one, also on file systems that ignore case, normalise Unicode, or refuse
names as Windows does: what is written is lower-case ASCII letters, digits and `_ + = @ , . -`, everything else escaped.

- `!x` stands for the upper-case letter X, `%xx` for any other byte of the name in UTF-8 (lone surrogates, which stand
  for bytes that are not UTF-8, as they are encoded by "surrogatepass").
- A leading dot is escaped, so that no local program takes a remote `.git` or `.envrc` for its own.
- A trailing dot, and the first letter of a name Windows reserves (`con`, `nul.txt`), are escaped.
- `in` holds what is under the workdir, `out` everything else, by absolute path.
- A path that would be too long, as a whole or in one name, lies in `long` under its SHA-256; its name is kept in
  `names` beside it, so that the way back is exact.

A path is mapped by its text: symlinks are resolved on the remote, before.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from pathlib import Path

from pybridge.errors import LocalStorageError
from pybridge.locations import private_folder, write_private
from pybridge.mirror.remote_paths import is_below, join_remote, normalize_remote

__all__ = ["PathMapper", "escape_name", "normalize_remote", "unescape_name"]

INSIDE, OUTSIDE, LONG, NAMES = "in", "out", "long", "names"
TREES = (INSIDE, OUTSIDE, LONG)

# A file of ours in the same folder may have a temporary name of 30 characters while it is written.
NAME_LIMIT = 150
PATH_LIMIT = 215 if os.name == "nt" else 900

_PLAIN = re.compile(r"[a-z0-9_+=@,.-]")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)")
_TOKEN = re.compile(r"!([a-z])|((?:%[0-9a-f]{2})+)|([a-z0-9_+=@,.-])")
_LOGGER = logging.getLogger(__name__)


class PathMapper:
    """Maps remote paths into the folder `base` and back.

    Args:
        workdir: remote absolute folder, symlinks resolved.
        base: local folder of this mirror; nothing is ever mapped outside it.
        path_limit: characters a local path may have as a whole.
    """

    def __init__(self, workdir: str, base: Path, *, path_limit: int = PATH_LIMIT) -> None:
        self.workdir = join_remote("/", workdir)
        self.base = base
        self._room = max(40, path_limit - len(str(base)) - 1)
        self._long: dict[str, str] = {}

    def to_local(self, remote_path: str) -> Path:
        """The local place of a remote path. Different remote paths never have the same one.

        Args:
            remote_path: absolute, or relative to the workdir; normalised first.
        """
        remote = join_remote(self.workdir, remote_path)
        if self.is_within_workspace(remote):
            parts = [INSIDE, *_split(remote[len(self.workdir.rstrip("/")) :])]
        else:
            parts = [OUTSIDE, *_split(remote)]
        names = [parts[0], *(escape_name(part) for part in parts[1:])]
        if max(map(len, names)) > NAME_LIMIT or sum(map(len, names)) + len(names) > self._room:
            return self._long_place(remote)
        return self.base.joinpath(*names)

    def to_remote(self, local_path: Path) -> str:
        """The remote path whose place this is.

        Raises:
            ValueError: `to_local` never gave this path.
        """
        try:
            tree, *names = local_path.relative_to(self.base).parts
        except ValueError:
            raise ValueError(f"{local_path} is not in the mirror {self.base}") from None
        if tree == LONG:
            remote = self._long_name(names[-1]) if names else None
        elif tree in (INSIDE, OUTSIDE):
            parts = [unescape_name(name) for name in names]
            remote = None if None in parts else "/" + "/".join(p for p in parts if p is not None)
            if remote is not None and tree == INSIDE:
                remote = join_remote("/", self.workdir + remote)
        else:
            remote = None
        if remote is None or self.to_local(remote) != local_path:
            raise ValueError(f"{local_path} is not the place of a remote file in the mirror {self.base}")
        return remote

    def is_within_workspace(self, remote_path: str) -> bool:
        """Whether a path is the workdir or below it, by its text: give it the resolved path (`Fetched.real`).

        Args:
            remote_path: absolute, or relative to the workdir; `..` is resolved first.
        """
        return is_below(join_remote(self.workdir, remote_path), self.workdir)

    def _long_place(self, remote: str) -> Path:
        digest = hashlib.sha256(remote.encode("utf-8", "surrogatepass")).hexdigest()[:40]
        if digest not in self._long:
            try:
                if self._long_name(digest) != remote:
                    private_folder(self.base / NAMES)
                    write_private(self._stored_name(digest), json.dumps({"path": remote}).encode(), durable=False)
            except LocalStorageError as error:  # the way back then works in this process only
                _LOGGER.info("The name of a long path is not kept: %s", error)
            self._long[digest] = remote
        return self.base / LONG / digest[:2] / digest

    def _long_name(self, digest: str) -> str | None:
        if digest in self._long:
            return self._long[digest]
        if not re.fullmatch(r"[0-9a-f]{40}", digest):
            return None
        try:
            path = json.loads(self._stored_name(digest).read_bytes())["path"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return path if isinstance(path, str) and path.startswith("/") else None

    def _stored_name(self, digest: str) -> Path:
        return self.base / NAMES / f"{digest}.json"


def escape_name(name: str) -> str:
    """One name of a remote path as every local file system keeps it; see the head of this file."""
    text = "".join(_escape(character) for character in name)
    if _RESERVED.match(text) or text.startswith("."):
        text = f"%{ord(text[0]):02x}{text[1:]}"
    return text[:-1] + "%2e" if text.endswith(".") else text


def unescape_name(text: str) -> str | None:
    """The name `escape_name` made this of; None when it made it of none."""
    name, position = "", 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            return None
        upper, escaped, plain = token.groups()
        if upper:
            name += upper.upper()
        elif escaped:
            try:
                name += bytes.fromhex(escaped.replace("%", "")).decode("utf-8", "surrogatepass")
            except UnicodeDecodeError:
                return None
        else:
            name += plain
        position = token.end()
    return name if escape_name(name) == text else None


def _escape(character: str) -> str:
    if _PLAIN.match(character):
        return character
    if "A" <= character <= "Z":
        return "!" + character.lower()
    return "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))


def _split(path: str) -> list[str]:
    return [part for part in path.split("/") if part]
