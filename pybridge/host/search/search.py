"""The two searches of the host room."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pybridge.errors import SearchError
from pybridge.host.model import GlobResult, GrepResult
from pybridge.host.search.glob import glob_with_find, glob_with_rg
from pybridge.host.search.grep_find import grep_with_find
from pybridge.host.search.grep_rg import grep_with_rg
from pybridge.host.search.held_rules import HeldRules
from pybridge.host.search.remote import Facts, ScriptRunner, SearchScript

TIMEOUT = 60.0
"""Seconds a search may take unless the caller says otherwise."""


class Search:
    """Searches on one remote.

    Args:
        run_script: runs a script there.
        facts: what the remote has.
    """

    def __init__(self, run_script: ScriptRunner, facts: Facts) -> None:
        self._run_script = run_script
        self._facts = facts
        self._held = HeldRules(facts)

    async def glob(
        self,
        pattern: str,
        root: str,
        *,
        limit: int = 100,
        within: Sequence[str] | None = None,
        abort: asyncio.Event | None = None,
        timeout: float = TIMEOUT,
    ) -> GlobResult:
        """Files below a folder whose path matches, newest first.

        Args:
            pattern: a glob as ripgrep's `--glob` takes it; a positive one overrides ignore files and hidden names.
            root: remote absolute path of a folder.
            limit: the most paths answered.
            within: real paths of folders. Search only if the root, symlinks resolved, is one of them or lies below.
            abort: setting it kills the search on the remote.
            timeout: seconds until the search is killed.

        Raises:
            SearchRootError: with `within`, whatever keeps the root from being searched.
            SearchError: bad pattern, or the folder is missing.
            NotDirectoryError: the root is a file.
            FilePermissionError: the root may not be read.
            RemoteTimeoutError, CancelledByUserError: the search was killed.
        """
        script = self._script(pattern, root, within, abort, timeout)
        found = None
        if self._facts.rg is not None:
            found = await glob_with_rg(script, self._facts, pattern, limit)
        return found if found is not None else await glob_with_find(script, self._facts, self._held, pattern, limit)

    async def grep(
        self,
        pattern: str,
        root: str,
        *,
        include: str | None = None,
        limit: int = 100,
        within: Sequence[str] | None = None,
        abort: asyncio.Event | None = None,
        timeout: float = TIMEOUT,
    ) -> GrepResult:
        """Lines that match a regular expression, in the files below a folder or in one file.

        Args:
            pattern: a regular expression as ripgrep reads it.
            root: remote absolute path of a folder or of a file.
            include: a glob that the files' paths must match.
            limit: the most matches answered.
            within: real paths of folders. Search only if the root, symlinks resolved, is one of them or lies below.
            abort: setting it kills the search on the remote.
            timeout: seconds until the search is killed.

        Raises:
            SearchRootError: with `within`, whatever keeps the root from being searched.
            SearchError: bad pattern or include, or the root is missing.
            FilePermissionError: the root may not be read.
            RemoteTimeoutError, CancelledByUserError: the search was killed.
        """
        script = self._script(pattern + (include or ""), root, within, abort, timeout)
        if self._facts.rg is not None:
            return await grep_with_rg(script, self._facts, pattern, include, limit)
        return await grep_with_find(script, self._facts, self._held, pattern, include, limit)

    def _script(
        self, patterns: str, root: str, within: Sequence[str] | None, abort: asyncio.Event | None, timeout: float
    ) -> SearchScript:
        if "\0" in patterns:
            raise SearchError("A search pattern cannot contain a NUL character.", next_step="Remove it.")
        return SearchScript(self._run_script, root, abort, timeout, within=within)
