"""Which of the instruction files and skills in OpenCode's prompt belong to the local folder it was started in.

They are taken out; the user's own, which hold wherever they work, stay. The rules are those by which OpenCode 1.15 to
1.18 finds them:

- instructions of a project: the first of AGENTS.md, CLAUDE.md, CONTEXT.md there is in the folder or above it, up to the
  git work tree (the root without one), and what relative entries of the setting `instructions` match in these folders;
- the user's own: AGENTS.md of the configuration folder, ~/.claude/CLAUDE.md, entries with absolute or ~ paths, URLs;
- skills of a project: in .opencode, .claude or .agents of these folders; in the home folder these are the user's own.
"""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pybridge.host.glob_pattern import GlobSyntaxError, glob_regex, parse_glob

_SKILL_FOLDERS = (".opencode", ".claude", ".agents")
_TRUE = ("1", "true")


def is_url(entry: str) -> bool:
    """Whether an entry of `instructions` is fetched, not read."""
    return entry.startswith(("https://", "http://"))


def is_own(entry: str) -> bool:
    """Whether an entry of `instructions` names the user's own files: absolute, or in the home folder."""
    return entry.startswith("~/") or Path(entry).is_absolute()


@dataclass(frozen=True)
class LocalProject:
    """The local folder an OpenCode instance is for, and the settings that decide what it loads there.

    Args:
        directory: the folder, as OpenCode has it.
        worktree: its git work tree, "/" without one.
        entries: the setting `instructions`.
        home: the user's home folder.
        configs: folders the user's own AGENTS.md may be in.
        names: names of instruction files, in OpenCode's order.
        enabled: projects may have instructions at all.
    """

    directory: str
    worktree: str
    entries: Sequence[str]
    home: str
    configs: Sequence[str]
    names: Sequence[str]
    enabled: bool = True

    @classmethod
    def of(
        cls, directory: str, worktree: str, entries: Sequence[str], env: Mapping[str, str] | None = None
    ) -> LocalProject:
        """The folder with what OpenCode's variables say.

        Args:
            env: OpenCode's environment; the process's own when left out, which is the same but for secrets.
        """
        env = os.environ if env is None else env
        home = env.get("OPENCODE_TEST_HOME") or str(Path.home())
        config = str(Path(env.get("XDG_CONFIG_HOME") or Path(home, ".config"), "opencode"))
        without_claude = any(
            _is_set(env, name) for name in ("OPENCODE_DISABLE_CLAUDE_CODE", "OPENCODE_DISABLE_CLAUDE_CODE_PROMPT")
        )
        return cls(
            directory=directory,
            worktree=worktree,
            entries=tuple(entries),
            home=home,
            configs=tuple(filter(None, (config, env.get("OPENCODE_CONFIG_DIR")))),
            names=("AGENTS.md", *([] if without_claude else ["CLAUDE.md"]), "CONTEXT.md"),
            enabled=not _is_set(env, "OPENCODE_DISABLE_PROJECT_CONFIG"),
        )

    @property
    def relative_entries(self) -> list[str]:
        """The entries of `instructions` that mean files of the project."""
        return [e for e in self.entries if not is_url(e) and not is_own(e)] if self.enabled else []

    def loads(self, path: str) -> bool:
        """Whether a file's instructions are in the prompt because of the local folder alone."""
        if not self.enabled or is_url(path) or self.is_global(path):
            return False
        if any(self.own_entry_matches(entry, path) for entry in self.entries if is_own(entry)):
            return False
        file = Path(path)
        if file.name in self.names and file.parent in self._folders:
            return True
        return any(self._entry_matches(entry, path) for entry in self.relative_entries)

    def has_skill(self, location: str) -> bool:
        """Whether a skill lies in the local folder or above it, the home folder's own left out.

        Args:
            location: a path or a file URL, as the prompt shows it.
        """
        file = Path(unquote(urlsplit(location).path) if location.startswith("file://") else location)
        folders = [folder for folder in self._folders if folder != Path(self.home)]
        return any(folder / name in file.parents for folder in folders for name in _SKILL_FOLDERS)

    def own_entry_matches(self, entry: str, path: str) -> bool:
        """Whether an entry with an absolute or ~ path is what loaded a file."""
        full = Path(os.path.normpath(Path(self.home, entry[2:]) if entry.startswith("~/") else entry))
        return Path(path).parent == full.parent and fnmatch.fnmatchcase(Path(path).name, full.name)

    def is_global(self, path: str) -> bool:
        """Whether a file is the user's own instructions for every project."""
        own = [*(Path(config, "AGENTS.md") for config in self.configs), Path(self.home, ".claude", "CLAUDE.md")]
        return Path(path) in own

    @property
    def _folders(self) -> list[Path]:
        """The folder and those above it up to the work tree."""
        folder, top = Path(os.path.normpath(self.directory)), Path(self.worktree)
        above = [parent for parent in folder.parents if parent == top or top in parent.parents]
        return [folder, *(above if top in (folder, *above) else folder.parents)]

    def _entry_matches(self, entry: str, path: str) -> bool:
        pattern = entry_pattern(entry)
        for folder in self._folders:
            try:
                seen = os.path.relpath(path, folder).replace(os.sep, "/")
            except ValueError:  # another drive of Windows
                return False
            if seen.startswith("../") == pattern.startswith("../") and _matches(pattern, seen):
                return True
        return False


def entry_pattern(entry: str) -> str:
    """A relative entry of `instructions` as a glob below each folder it is looked for in."""
    return posixpath.normpath(entry.replace("\\", "/") if os.sep == "\\" else entry)


def has_wildcard(pattern: str) -> bool:
    """Whether a glob may match more than the path it spells."""
    return re.search(r"[*?\[{]", pattern) is not None


def _matches(pattern: str, path: str) -> bool:
    if pattern == path:
        return True
    try:
        expression = glob_regex(parse_glob(pattern))
    except GlobSyntaxError:
        return False
    return expression.fullmatch(path.encode("utf-8", "surrogateescape")) is not None


def _is_set(env: Mapping[str, str], name: str) -> bool:
    return env.get(name, "").strip().lower() in _TRUE
