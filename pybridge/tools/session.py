"""What all tool calls on one remote folder share: the host, the paths, and what we know of remote files."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Protocol

from pybridge.host.host import Host
from pybridge.host.model import (
    Applied,
    Change,
    Command,
    CommandResult,
    Entry,
    Fetch,
    Fetched,
    GlobResult,
    GrepResult,
    Lines,
    Slice,
)
from pybridge.locations import mirror_folder, state_folder
from pybridge.logs import redact
from pybridge.mirror.content_store import ContentStore
from pybridge.mirror.journal import Journal
from pybridge.mirror.journal_entry import Target
from pybridge.mirror.journal_records import journal_folder
from pybridge.mirror.locks import FileLocks
from pybridge.mirror.path_mapper import PathMapper
from pybridge.mirror.session_versions import SessionVersions
from pybridge.mirror.spool import Spool
from pybridge.mirror.sweep import Sweeper, Swept
from pybridge.mirror.temporaries import TemporaryRecords
from pybridge.mirror.temporary_folders import TemporaryFolderRecords
from pybridge.mirror.turns import Turns
from pybridge.settings import Settings
from pybridge.tools.instructions import LoadedInstructions
from pybridge.tools.local.files import LocalFiles
from pybridge.tools.sudo_folder import SudoFolder, offer_sudo
from pybridge.tools.temporary_folder import TemporaryFolder, remove_abandoned

LOCK_TIMEOUT = 3600.0
"""Seconds a call waits for another one on the same file, which may itself be waiting for a person's permission."""


class ToolFiles(Protocol):
    """The file operations of a host that the tools use."""

    async def fetch(self, requests: Sequence[Fetch]) -> list[Fetched]: ...

    def known(self, path: str) -> Fetched | None: ...

    async def slice(self, path: str, lines: Lines) -> Slice: ...

    async def list(self, path: str) -> list[Entry]: ...

    async def apply(self, changes: Sequence[Change]) -> list[Applied]: ...


class ToolSearch(Protocol):
    """The searches of a host that the tools use."""

    async def glob(
        self,
        pattern: str,
        root: str,
        *,
        limit: int = ...,
        within: Sequence[str] | None = ...,
        abort: asyncio.Event | None = ...,
    ) -> GlobResult: ...

    async def grep(
        self,
        pattern: str,
        root: str,
        *,
        include: str | None = ...,
        limit: int = ...,
        within: Sequence[str] | None = ...,
        abort: asyncio.Event | None = ...,
    ) -> GrepResult: ...


class ToolHost(Protocol):
    """What the tools use of a host; `pybridge.host.host.Host` provides it."""

    @property
    def files(self) -> ToolFiles: ...

    @property
    def search(self) -> ToolSearch: ...

    async def run(self, command: Command) -> CommandResult: ...


class RealPaths:
    """Where paths led when they were last looked at, so that the mirror finds the content of a symlinked file."""

    def __init__(self, limit: int = 4096) -> None:
        self._real: OrderedDict[str, str] = OrderedDict()
        self._limit = limit

    def remember(self, path: str, real: str) -> None:
        """`path` led to `real`."""
        if path == real:
            self._real.pop(path, None)
            return
        self._real[path] = real
        self._real.move_to_end(path)
        if len(self._real) > self._limit:
            self._real.popitem(last=False)

    def recall(self, path: str) -> str:
        """Where `path` led when last looked at; itself when it never was. Only a guess: the remote decides."""
        return self._real.get(path, path)


@dataclass
class Session:
    """One remote folder that OpenCode works in.

    Args:
        host: the machine.
        workdir: remote absolute path of the folder, symlinks resolved.
        worktree: the top level of the git work tree it lies in, else the workdir.
        home: the remote user's home folder.
        settings: what the user set.
        mapper: where copies of remote files lie locally.
        store: contents of remote files as last seen.
        locks: one change at a time per file, by real path.
        sweeper: puts right what a lost link left on the remote.
        spool: local files that hold output too long for an answer.
        versions: what each OpenCode session has read (law 3).
        instructions: which instruction files the model was shown.
        anchors: local folders that stand for the workdir.
        real_paths: where symlinks led when last looked at.
        temporary: the folder for temporary work outside the workspace.
        sudo: the folder through which sudo is given its password.
        journal: where changes are recorded before they are made; None if the user wants none.
        interrupted: what became of changes that a lost link interrupted, as far as no answer has said so yet.
    """

    host: ToolHost
    workdir: str
    worktree: str
    home: str
    settings: Settings
    mapper: PathMapper
    store: ContentStore
    locks: FileLocks
    sweeper: Sweeper
    spool: Spool
    versions: SessionVersions = field(default_factory=SessionVersions)
    instructions: LoadedInstructions = field(default_factory=LoadedInstructions)
    anchors: tuple[PurePath, ...] = ()
    real_paths: RealPaths = field(default_factory=RealPaths)
    temporary: TemporaryFolder | None = None
    sudo: SudoFolder | None = None
    journal: Journal | None = None
    interrupted: list[Swept] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.local_files = LocalFiles(self.spool)
        """Files of this machine that the model is told of."""

    def forget(self, session_id: str) -> None:
        """An OpenCode session has ended."""
        self.versions.forget_session(session_id)

    async def remove_folders(self) -> None:
        """Remove the folders of ours on the remote; what fails is left to the next connection."""
        folders = (self.temporary, self.sudo)
        await asyncio.gather(*(folder.remove() for folder in folders if folder is not None))


async def open_session(settings: Settings, host: Host, *, target_slug: str, host_name: str = "") -> Session:
    """Open what we know of the files in the folder that `host` was connected for, and put right what earlier
    connections left there. No round trip of its own unless they did.

    Args:
        settings: what the user set.
        host: a connected host; its `place` is the folder.
        target_slug: names user, host, port and jump hosts (the transport's slug of REMOTE_SSH).
        host_name: as a person would name the host.

    Raises:
        FileMissingError, NotDirectoryError, FilePermissionError: REMOTE_WORKDIR is no folder that can be worked in.
        LocalStorageError: this user has no home folder here.
    """
    host.place.check()
    workdir = host.place.workdir
    folder = mirror_folder(target_slug, workdir)
    store = await asyncio.to_thread(ContentStore, folder, target_slug, workdir)
    temporaries = TemporaryRecords(state_folder() / "temporaries", target_slug)
    host.files.records = temporaries
    host.files.turns = Turns(state_folder() / "turns", target_slug)
    host.files.workdir = workdir
    interrupted: list[Swept] = []
    sweeper = Sweeper(host, temporaries, interrupted.extend)
    sweeper.watch()
    await sweeper.first()
    spool = Spool(state_folder() / "output")
    await asyncio.to_thread(spool.empty)
    temporary_folders = TemporaryFolderRecords(state_folder() / "temporary-folders", target_slug)
    await remove_abandoned(host, temporary_folders)
    return Session(
        host=host,
        workdir=workdir,
        worktree=host.place.worktree,
        home=host.home,
        settings=settings,
        mapper=store.mapper,
        store=store,
        locks=FileLocks(timeout=LOCK_TIMEOUT),
        sweeper=sweeper,
        interrupted=interrupted,
        spool=spool,
        anchors=(settings.anchor,) if settings.anchor is not None else (),
        temporary=TemporaryFolder(host, temporary_folders, host.facts.scratch),
        sudo=await offer_sudo(host, temporary_folders, settings.sudo_password),
        journal=_journal(settings, target_slug, host_name or target_slug, workdir),
    )


def _journal(settings: Settings, target_slug: str, host_name: str, workdir: str) -> Journal | None:
    if settings.journal_mb == 0:
        return None
    # A password typed into REMOTE_SSH itself, where it helps nobody, is not written down.
    target = Target(target_slug, host_name, redact(settings.ssh), workdir, settings.transport)
    return Journal(journal_folder(), target, max_bytes=settings.journal_mb * 1024 * 1024)
