"""Which version of which file each OpenCode session knows: what "changed since it was read" is measured against."""

from __future__ import annotations

from collections import OrderedDict

from pybridge.host.model import FileVersion


class SessionVersions:
    """Per session, the version last read or written by it; in memory only.

    Args:
        most: versions known in all, by every session of a server that may run for weeks; beyond this many the one
            unused for longest is forgotten. One takes about half a kilobyte.
    """

    def __init__(self, *, most: int = 40_000) -> None:
        self._known: OrderedDict[tuple[str, str], FileVersion] = OrderedDict()
        self._most = most

    def record(self, session_id: str, path: str, version: FileVersion, *, named: str | None = None) -> None:
        """The session has now read, or itself written, this version (ABSENT: seen missing, or removed it).

        Args:
            path: remote absolute path, symlinks resolved, so that two names of one file are one.
            named: the path it was asked for by: it may lead to another file later.
        """
        for name in {path, named or path}:
            self._known[session_id, name] = version
            self._known.move_to_end((session_id, name))
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def known(self, session_id: str, path: str) -> FileVersion | None:
        """The version the session knows; None when it never read the file."""
        return self._known.get((session_id, path))

    def changed_since_read(self, session_id: str, path: str, current: FileVersion, *, named: str | None = None) -> bool:
        """Whether the session read the file, and someone other than this session's tools has changed it since.

        Args:
            path: as for `record`.
            current: the version that stands there now.
            named: the path it is asked for by. Where that leads to a file never read, what it led to before counts.
        """
        known = self.known(session_id, path)
        if known is None and named is not None:
            known = self.known(session_id, named)
        return known is not None and known != current

    def forget_session(self, session_id: str) -> None:
        """The session has ended."""
        for key in [key for key in self._known if key[0] == session_id]:
            del self._known[key]
