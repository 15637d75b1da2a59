"""The remote's surroundings: what it is, what day it is there, and the instruction files of its project.

Asked for before every prompt, as OpenCode does locally: a round trip for what is there, one for what the files hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import posixpath
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pybridge.editing.encoding import decode
from pybridge.errors import RemoteError, SearchError
from pybridge.host.facts import Facts
from pybridge.host.framing import decode_text, quote
from pybridge.host.login_environment import LoginEnvironment
from pybridge.host.model import Fetched, FileKind
from pybridge.host.place import Place
from pybridge.mirror.remote_paths import join_remote, normalize_remote
from pybridge.tools.instructions import Instruction
from pybridge.tools.remote_files import fetch, mirror
from pybridge.tools.session import Session
from pybridge.tools.surroundings.local_project import entry_pattern, has_wildcard
from pybridge.tools.surroundings.prompt import RemoteSurroundings

log = logging.getLogger(__name__)

FRESH_SECONDS = 2.0
"""Sub-agents ask at the same time; what is not older than this is not asked for again."""

STALE_SECONDS = 300.0
"""What was found this long ago at most stands in for a remote that does not answer in time."""

MAX_FILE_BYTES = 256 * 1024
MAX_FILES = 64
MAX_CHARACTERS = 1024 * 1024
"""Of instruction files: the largest one, how many, and all of them together."""

MAX_WARNINGS = 100

GLOB_DEADLINE = 3.0
"""Seconds that the globs among `instructions` may take together; what they have not found by then is left out."""

GLOB_SECONDS = 60.0
"""How long the names they matched are trusted. The files themselves are looked at every time."""

_DATE = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d{4}")
# A time zone as `export -p` writes it, of nothing but a plain word: it becomes part of a script.
_TIME_ZONE = re.compile(r"""^export TZ=(["']?[A-Za-z0-9_/:+.,<>-]*["']?)$""", re.MULTILINE)


class SurroundingHost(Protocol):
    """What is used of a host besides its files; `pybridge.host.host.Host` provides it."""

    @property
    def facts(self) -> Facts: ...

    @property
    def place(self) -> Place: ...

    @property
    def login(self) -> LoginEnvironment: ...

    async def run_control(self, script: str, *, timeout: float = ...) -> bytes: ...


@dataclass(frozen=True)
class Wanted:
    """What a prompt needs to know.

    Args:
        names: names of instruction files, in OpenCode's order; empty when the project's are not wanted.
        entries: relative entries of the setting `instructions`.
        references: paths of reference folders.
    """

    names: tuple[str, ...]
    entries: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


def platform(system: str) -> str:
    """The operating system in OpenCode's spelling, which is Node's.

    Args:
        system: what `uname -s` says, and more after a space.
    """
    name = system.partition(" ")[0].lower()
    return "cygwin" if name.startswith("cygwin") else name or "unknown"


def upwards(folder: str, top: str) -> list[str]:
    """`folder` and those above it up to `top`."""
    found = [folder]
    while folder not in (top, "/"):
        folder = posixpath.dirname(folder)
        found.append(folder)
    return found


class Surroundings:
    """Asks one remote folder for its surroundings.

    Args:
        session: the folder.
        host: its machine.
        clock: seconds, from any beginning.
    """

    def __init__(self, session: Session, host: SurroundingHost, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._host = host
        self._clock = clock
        self._last: dict[Wanted, tuple[float, RemoteSurroundings]] = {}
        self._warned: set[str] = set()
        self._globbed: dict[str, tuple[float, list[str]]] = {}
        self._asking: dict[Wanted, asyncio.Task[RemoteSurroundings]] = {}

    async def now(self, wanted: Wanted, deadline: float) -> RemoteSurroundings:
        """The surroundings as they are; as they were minutes ago if the remote does not answer.

        Args:
            deadline: seconds to wait.

        Raises:
            RemoteError, TimeoutError: it does not answer, and nothing is known.
        """
        last = self._last.get(wanted)
        if last is not None and self._clock() - last[0] <= FRESH_SECONDS:
            return last[1]
        task = self._asking.get(wanted)
        if task is None:
            task = self._asking[wanted] = asyncio.create_task(self._ask(wanted))
            task.add_done_callback(lambda done: self._answered(wanted, done))
        try:
            # Not cancelled when it is late: it will be there for the next prompt.
            return await asyncio.wait_for(asyncio.shield(task), deadline)
        except (RemoteError, TimeoutError) as error:
            if last is None or self._clock() - last[0] > STALE_SECONDS:
                raise
            log.info("the surroundings are those of %.0f s ago: %r", self._clock() - last[0], error)
            return last[1]

    async def close(self) -> None:
        """Stop asking."""
        tasks = [*self._asking.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _answered(self, wanted: Wanted, done: asyncio.Task[RemoteSurroundings]) -> None:
        self._asking.pop(wanted, None)
        if done.cancelled() or done.exception() is not None:
            return
        self._last[wanted] = (self._clock(), done.result())
        for old in [known for known in self._last if known != wanted][:-8]:
            del self._last[old]

    async def _ask(self, wanted: Wanted) -> RemoteSurroundings:
        place = self._host.place
        top = place.worktree if place.git else "/"
        levels = upwards(place.workdir, top)
        matches = await self._glob(wanted.entries)
        candidates = _Candidates(
            {name: [posixpath.join(level, name) for level in levels] for name in wanted.names},
            {entry: matches.get(entry, _spelled(entry, levels)) for entry in wanted.entries},
            {path: normalize_remote(path, place.workdir, self._session.home, self._session.anchors)
             for path in wanted.references},
        )  # fmt: skip
        date, kinds = await self._look(candidates.paths)
        there = [path for path, kind in kinds.items() if kind == "f"]
        files = await fetch(self._session, there, MAX_FILE_BYTES) if there else []
        mirror(self._session, files)
        found = {file.path: file for file in files}
        reader = _Reader(found, self._session.settings.encoding, self._warn_once)
        own = (paths for paths in candidates.project.values() if any(path in kinds for path in paths))
        project = reader.read(next(own, []))
        entries = {entry: reader.read(paths) for entry, paths in candidates.entries.items()}
        loaded = [*project, *(instruction for read in entries.values() for instruction in read)]
        self._session.instructions.in_prompt = frozenset(instruction.path for instruction in loaded)
        return RemoteSurroundings(
            workdir=place.workdir,
            worktree=top,
            git=place.git,
            platform=platform(self._host.facts.system),
            date=date,
            project=project,
            entries=entries,
            references={path: there for path, there in candidates.references.items() if kinds.get(there) == "d"},
        )  # fmt: skip

    async def _look(self, paths: Sequence[str]) -> tuple[str, dict[str, str]]:
        """The date there, in the time zone of a login, and which of the paths are files ("f") and folders ("d")."""
        zone = _TIME_ZONE.search(self._host.login.exports)
        setting = f"TZ={zone[1]}; export TZ; " if zone else ""
        script = f"""
({setting}LC_ALL=C; export LC_ALL; date '+%a %b %d %Y') 2>/dev/null
for pb_p in {" ".join(quote(path) for path in paths)}; do
if [ -f "$pb_p" ]; then printf '\\000f%s' "$pb_p"; elif [ -d "$pb_p" ]; then printf '\\000d%s' "$pb_p"; fi
done
"""
        said, *there = decode_text(await self._host.run_control(script)).split("\0")
        date = said.strip()
        return date if _DATE.fullmatch(date) else "unknown", {path[1:]: path[0] for path in there}

    async def _glob(self, entries: Sequence[str]) -> dict[str, list[str]]:
        """What the entries with wildcards match, in the folder and those above it that belong to its git work tree."""
        place = self._host.place
        levels = upwards(place.workdir, place.worktree)
        found = {entry: [] for entry in entries if has_wildcard(entry_pattern(entry))}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GLOB_DEADLINE):
                for entry in found:
                    found[entry] = await self._matches(entry, levels)
        return found

    async def _matches(self, entry: str, levels: Sequence[str]) -> list[str]:
        known = self._globbed.get(entry)
        if known is not None and self._clock() - known[0] <= GLOB_SECONDS:
            return known[1]
        pattern = entry_pattern(entry)
        found: list[str] = []
        try:
            if pattern.startswith("../"):
                raise SearchError("it is a glob above the project")
            for level in levels:
                result = await self._session.host.search.glob("/" + pattern, level, limit=MAX_FILES)
                found += sorted(result.paths)
        except RemoteError as error:
            self._warn_once(f"the entry {entry!r} of `instructions` is left out: {error}")
            if not isinstance(error, SearchError):
                return []
        self._globbed[entry] = (self._clock(), found)
        return found

    def _warn_once(self, text: str) -> None:
        """Every prompt comes here again."""
        if text not in self._warned and len(self._warned) < MAX_WARNINGS:
            self._warned.add(text)
            log.warning("%s", text)


@dataclass(frozen=True)
class _Candidates:
    """Remote paths that may be there: by name of instruction file, by entry, by path of a reference folder."""

    project: Mapping[str, list[str]]
    entries: Mapping[str, list[str]]
    references: Mapping[str, str]

    @property
    def paths(self) -> list[str]:
        """All of them, each once."""
        lists = [*self.project.values(), *self.entries.values(), [*self.references.values()]]
        return [*dict.fromkeys(path for some in lists for path in some)]


class _Reader:
    """Makes instructions of fetched files, up to the limits."""

    def __init__(self, found: Mapping[str, Fetched], encoding: str | None, warn: Callable[[str], None]) -> None:
        self._found = found
        self._encoding = encoding
        self._warn = warn
        self._files = 0
        self._characters = 0

    def read(self, paths: Sequence[str]) -> list[Instruction]:
        """Those of the files that are there and hold something; one too large is named instead."""
        files = [self._found[path] for path in paths if path in self._found]
        return [Instruction(file.path, text) for file in files if (text := self._text(file))]

    def _text(self, file: Fetched) -> str:
        if file.kind is not FileKind.FILE or file.error is not None:
            return ""
        text = "" if file.content is None else decode(file.content, encoding=self._encoding).shown
        if file.content is not None and not text:
            return ""
        if file.content is None or self._files == MAX_FILES or self._characters + len(text) > MAX_CHARACTERS:
            size = file.stat.size if file.stat else 0
            self._warn(f"{file.path} is too large for the prompt")
            return f"(These instructions are too long to be shown here: {size} bytes. Read the file.)\n"
        self._files += 1
        self._characters += len(text)
        return text


def _spelled(entry: str, levels: Sequence[str]) -> list[str]:
    """The paths an entry without wildcards means."""
    return [*dict.fromkeys(join_remote(level, entry_pattern(entry)) for level in levels)]
