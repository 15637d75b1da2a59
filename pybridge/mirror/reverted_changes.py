"""Which journaled changes OpenCode's /undo has undone, by session: those that its /redo makes again, and no others."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pybridge.locations import private_folder, write_private

MOST = 500
"""Sessions kept; one that is left taken back for ever leaves its file behind."""


class RevertedChanges:
    """A file for each session that is taken back; it outlives the sidecar.

    Args:
        folder: made when it is first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, session_id: str) -> dict[str, str]:
        """Id of each change, and of the part of the session it belongs to; none for one that is not taken back."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            found = json.loads(self._path(session_id).read_bytes())
            if found.get("session") == session_id:
                return {str(change): str(part) for change, part in found.get("changes", {}).items()}
        return {}

    def put(self, session_id: str, changes: Mapping[str, str]) -> None:
        """Record them, in the place of those before; none forgets the session.

        Raises:
            LocalStorageError: they cannot be written.
        """
        if not changes:
            self._path(session_id).unlink(missing_ok=True)
            return
        private_folder(self._folder)
        content = json.dumps({"session": session_id, "changes": dict(changes)})
        write_private(self._path(session_id), content.encode())
        self._trim()

    def _path(self, session_id: str) -> Path:
        return self._folder / f"{hashlib.sha256(session_id.encode()).hexdigest()[:32]}.json"

    def _trim(self) -> None:
        with contextlib.suppress(OSError):
            files = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for path in files[:-MOST]:
                path.unlink(missing_ok=True)
