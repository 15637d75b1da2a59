"""Reading remote files: each operation is one request to a control shell, whatever the number of files."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from pybridge.host.control_shell import DEFAULT_TIMEOUT
from pybridge.host.facts import Facts
from pybridge.host.fetch_batches import FetchBatches
from pybridge.host.fetching import (
    list_script,
    parse_list,
)
from pybridge.host.framing import new_marker
from pybridge.host.known_files import KnownFiles
from pybridge.host.model import Entry, Fetch, Fetched, Lines, Slice
from pybridge.host.shells import ControlShells
from pybridge.host.slicing import parse_slice, slice_script

_REMEMBERED = 4096


class FileReader:
    """The files of one host, as far as they are only looked at.

    Args:
        shells: the control shells that do the work.
        facts: what the probe found.
    """

    def __init__(self, shells: ControlShells, facts: Facts) -> None:
        self._shells = shells
        self._facts = facts
        self._batches = FetchBatches(shells, facts)
        self._real: OrderedDict[str, Fetched] = OrderedDict()
        """Each path as it was when it was last looked at, without its content."""
        self.known_files = KnownFiles()
        """Those that need no look before they are changed."""

    def use_facts(self, facts: Facts) -> None:
        """Go on with what is known better by now."""
        self._facts = self._batches.facts = facts

    async def fetch(self, requests: Sequence[Fetch]) -> list[Fetched]:
        """Each file as it is now, all in one round trip; one more where small ones change in that very moment.

        Raises:
            ConnectionLostError, RemoteTimeoutError, ProtocolError: none could be looked at.
        """
        if not requests:
            return []
        epoch = self.known_files.epoch
        answers = await self._batches.fetch(requests)
        for answer in answers:
            self._remember(answer)
            self.known_files.remember(answer, epoch)
        return answers

    async def fetch_one(self, path: str, **options: object) -> Fetched:
        """One file as it is now; `options` as in `Fetch`."""
        return (await self.fetch([Fetch(path, **options)]))[0]  # type: ignore[arg-type]

    def known(self, path: str) -> Fetched | None:
        """A regular file as last seen, without its content, or a missing one, if as far as we know it still is that.

        No round trip.
        """
        if not (self._facts.stat or self._facts.cp_gnu):
            return None  # a file that is replaced gets the mode it was last seen with: then that must be a fresh look
        return self.known_files.recall(path)

    async def slice(self, path: str, lines: Lines) -> Slice:
        """Some lines of a file so large that `fetch` does not bring them.

        Args:
            path: remote absolute path.

        Raises:
            FileError: it could not be read.
        """
        marker = new_marker()
        fetched = self._real.get(path) or await self.fetch_one(path, max_bytes=0)
        script = slice_script(fetched.real, lines, self._facts, marker)
        reply = await self._shells.request(script, timeout=4 * DEFAULT_TIMEOUT, retry=True, slow=True)
        return parse_slice(path, reply.stdout, self._facts, marker)

    async def list(self, path: str) -> list[Entry]:
        """Everything in a folder, in no order that matters.

        Raises:
            FileMissingError, NotDirectoryError, FilePermissionError: it cannot be listed.
        """
        reply = await self._shells.request(list_script(path, self._facts), timeout=2 * DEFAULT_TIMEOUT, retry=True)
        return parse_list(reply.stdout, reply.status, path)

    def _remember(self, answer: Fetched) -> None:
        self._real[answer.path] = replace(answer, content=None, siblings=(), entries=None, piece=None)
        self._real.move_to_end(answer.path)
        while len(self._real) > _REMEMBERED:
            self._real.popitem(last=False)
