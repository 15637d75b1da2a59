"""What tool tests stand on: a call's context that records, and a host that is a dictionary."""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pybridge.errors import PermissionRejectedError, SearchRootError
from pybridge.host.host import Host
from pybridge.host.model import (
    ABSENT,
    Applied,
    Change,
    Command,
    CommandResult,
    Entry,
    Fetch,
    Fetched,
    FileKind,
    FileVersion,
    GlobResult,
    GrepResult,
    Lines,
    Slice,
    Stat,
    VersionConflict,
)
from pybridge.mirror.content_store import ContentStore
from pybridge.mirror.journal import Journal
from pybridge.mirror.journal_entry import Target
from pybridge.mirror.locks import FileLocks
from pybridge.mirror.remote_paths import is_below
from pybridge.mirror.spool import Spool
from pybridge.mirror.sweep import Sweeper
from pybridge.mirror.temporaries import TemporaryRecords
from pybridge.settings import Settings
from pybridge.tools.context import ToolResult
from pybridge.tools.registry import call
from pybridge.tools.session import Session
from pybridge.transport.process import Stream

REJECTION = "The user rejected permission to use this specific tool call."


@dataclass(frozen=True)
class Ask:
    """One permission asked for."""

    permission: str
    patterns: list[str]
    always: list[str]
    metadata: dict[str, Any]


@dataclass
class Call:
    """The context of one call; a `ToolContext` that records what it is told.

    Args:
        session_id: OpenCode's session.
        refuse: permissions that are rejected.
        on_ask: called at each question: what happens while a person thinks.
        instructions: instruction files that the conversation holds already.
    """

    session_id: str = "ses_1"
    refuse: frozenset[str] = frozenset()
    on_ask: Callable[[Ask], object] = field(default=lambda ask: None)
    message_id: str = "msg_1"
    call_id: str = "call_1"
    agent: str = "build"
    abort: asyncio.Event = field(default_factory=asyncio.Event)
    instructions: frozenset[str] = frozenset()
    asks: list[Ask] = field(default_factory=list)
    shown: list[Mapping[str, Any]] = field(default_factory=list)

    async def ask(
        self, permission: str, patterns: Sequence[str], always: Sequence[str], metadata: Mapping[str, Any]
    ) -> None:
        ask = Ask(permission, list(patterns), list(always), dict(metadata))
        self.asks.append(ask)
        await asyncio.sleep(0)
        self.on_ask(ask)
        if permission in self.refuse:
            raise PermissionRejectedError(REJECTION)

    def progress(self, title: str | None, metadata: Mapping[str, Any]) -> None:
        self.shown.append(metadata)

    def asked(self, permission: str) -> list[list[str]]:
        """The patterns of every question for one permission."""
        return [ask.patterns for ask in self.asks if ask.permission == permission]


def version(content: bytes) -> FileVersion:
    """The version of a content, as a remote with sha256sum names it."""
    return FileVersion(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))


@dataclass
class MemoryHost:
    """A host whose files are a dictionary: for texts, errors and races, not for how files are really written.

    Args:
        folders: those that are there although they are empty.
        contents: by remote absolute path; folders are implied.
        links: where a path really leads.
        special: paths of FIFOs.
        fetches: the requests of every round trip of fetch.
        slices: how often lines of a large file were asked for alone.
        before_apply: called at each apply, before versions are compared.
        sliced_at_once: bytes of the largest file whose lines come with the answer of fetch.
    knows: files as last looked at are known, as if nothing could have changed them since.
    """

    folders: frozenset[str] = frozenset({"/"})
    contents: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    special: set[str] = field(default_factory=set)
    fetches: list[list[Fetch]] = field(default_factory=list)
    slices: int = 0
    applies: list[list[Change]] = field(default_factory=list)
    before_apply: Callable[[], None] = field(default=lambda: None)
    sliced_at_once: int = 2**40
    knows: bool = False
    seen: dict[str, Fetched] = field(default_factory=dict)
    commands: list[Command] = field(default_factory=list)
    output: list[tuple[Stream, bytes]] = field(default_factory=list)
    result: CommandResult = field(default_factory=lambda: CommandResult(0, None))
    globbed: GlobResult = field(default_factory=lambda: GlobResult((), False))
    grepped: GrepResult = field(default_factory=lambda: GrepResult((), False))
    searches: list[tuple[str, str]] = field(default_factory=list)

    @property
    def files(self) -> MemoryHost:
        return self

    @property
    def search(self) -> MemoryHost:
        return self

    def real(self, path: str) -> str:
        for link, target in self.links.items():
            if path == link or path.startswith(link + "/"):
                return self.real(target + path[len(link) :])
        return path

    def children(self, folder: str) -> set[str]:
        prefix = folder.rstrip("/") + "/"
        names = {*self.contents, *self.special, *self.links}
        return {p[len(prefix) :].partition("/")[0] for p in names if p.startswith(prefix)}

    def look(self, asked: Fetch) -> Fetched:
        real = self.real(asked.path)
        if real in self.special:
            return Fetched(asked.path, real, Stat(FileKind.SPECIAL, 0, 0o644, 0.0, 1))
        if real in self.contents:
            content = self.contents[real]
            stat = Stat(FileKind.FILE, len(content), 0o644, 0.0, 1)
            if len(content) > asked.max_bytes:
                lines = asked.lines if len(content) <= self.sliced_at_once else None
                piece = None if lines is None else self.cut(content, lines)
                return Fetched(asked.path, real, stat, piece=piece)
            if asked.held == version(content):
                return Fetched(asked.path, real, stat, version(content), unchanged=True)
            return Fetched(asked.path, real, stat, version(content), content)
        if real in self.folders or self.children(real):
            return Fetched(asked.path, real, Stat(FileKind.DIRECTORY, 0, 0o755, 0.0, 2))
        siblings = tuple(sorted(self.children(posixpath.dirname(real))))
        return Fetched(asked.path, real, None, ABSENT, siblings=siblings)

    async def fetch(self, requests: Sequence[Fetch]) -> list[Fetched]:
        self.fetches.append(list(requests))
        found = [self.look(asked) for asked in requests]
        self.seen |= {file.path: file for file in found}
        return found

    def known(self, path: str) -> Fetched | None:
        file = self.seen.get(path)
        return file if self.knows and file is not None and file.kind is FileKind.FILE and file.version else None

    async def slice(self, path: str, lines: Lines) -> Slice:
        self.slices += 1
        return self.cut(self.contents[self.real(path)], lines)

    def cut(self, content: bytes, asked: Lines) -> Slice:
        lines = content.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        wanted = lines[asked.first - 1 : asked.first - 1 + asked.most]
        cut = tuple(line[: asked.longest] for line in wanted)
        known = version(content) if len(content) <= asked.version_up_to else None
        return Slice(cut, len(lines), content[:4096], known)

    async def list(self, path: str) -> list[Entry]:
        real = self.real(path)
        return [
            Entry(name, self.look(Fetch(posixpath.join(real, name))).kind is FileKind.DIRECTORY)
            for name in self.children(real)
        ]

    async def apply(self, changes: Sequence[Change]) -> list[Applied]:
        self.applies.append(list(changes))
        self.before_apply()
        current = [self.look(Fetch(change.path)) for change in changes]
        differing = tuple(f for f, c in zip(current, changes, strict=True) if (f.version or ABSENT) != c.expected)
        if differing:
            raise VersionConflict(differing)
        for asked in changes:
            self.seen.pop(asked.path, None)
        for change in changes:
            if change.content is None:
                del self.contents[self.real(change.path)]
            else:
                self.contents[self.real(change.path)] = change.content
        return [Applied(c.path, ABSENT if c.content is None else version(c.content)) for c in changes]

    async def run(self, command: Command) -> CommandResult:
        self.commands.append(command)
        for stream, data in self.output:
            command.on_output(stream, data)
            await asyncio.sleep(0)
        return self.result

    def _stay(self, root: str, within: Sequence[str] | None) -> None:
        found = self.look(Fetch(root, max_bytes=0))
        if within is None or (found.stat is not None and any(is_below(found.real, folder) for folder in within)):
            return
        raise SearchRootError("elsewhere")

    async def glob(
        self,
        pattern: str,
        root: str,
        *,
        limit: int = 100,
        within: Sequence[str] | None = None,
        abort: asyncio.Event | None = None,
    ) -> GlobResult:
        self._stay(root, within)
        if within is not None and self.look(Fetch(root)).kind is not FileKind.DIRECTORY:
            raise SearchRootError("no folder")
        self.searches.append((pattern, root))
        return self.globbed

    async def grep(
        self,
        pattern: str,
        root: str,
        *,
        include: str | None = None,
        limit: int = 100,
        within: Sequence[str] | None = None,
        abort: asyncio.Event | None = None,
    ) -> GrepResult:
        self._stay(root, within)
        self.searches.append((pattern, root))
        return self.grepped


@dataclass
class Desk:
    """A session and the calls made in it."""

    session: Session
    host: MemoryHost

    async def __call__(self, tool: str, context: Call | None = None, /, **args: Any) -> ToolResult:
        return await call(tool, args, context or Call(), self.session)


def memory_desk(folder: Path, *, workdir: str = "/w", worktree: str = "/w", **settings: Any) -> Desk:
    """A desk on an empty `MemoryHost`.

    Args:
        folder: local folder for the mirror.
        settings: of `Settings`.
    """
    host = MemoryHost(frozenset({"/", workdir}))
    store = ContentStore(folder / "mirror", "test-host", workdir)
    session = Session(
        host=host,
        workdir=workdir,
        worktree=worktree,
        home="/home/u",
        settings=Settings(ssh="test", **settings),
        mapper=store.mapper,
        store=store,
        locks=FileLocks(),
        sweeper=Sweeper(cast(Host, host), TemporaryRecords(folder / "temporaries", "test-host")),
        spool=Spool(folder / "spool"),
        journal=Journal(folder / "journal", Target("test-host", "host", "test", workdir)),
    )
    return Desk(session, host)
