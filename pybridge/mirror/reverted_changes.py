"""Which journaled changes OpenCode's /undo has undone, by session: those that its /redo makes again, and no others."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pybridge.locations import private_folder, write_private

MOST = 500
"""Sessions kept; one that is left taken back for ever leaves its file behind."""


@dataclass(frozen=True)
class Reverted:
    """What /undo has undone of one session.

    Args:
        changes: id of each change, and of the part of the session it belongs to.
        undoing, redoing: ids of those that are being undone or made again, or where that broke off: whether they are is
            for the remote file to tell.
    """

    changes: Mapping[str, str] = field(default_factory=dict)
    undoing: Sequence[str] = ()
    redoing: Sequence[str] = ()


class RevertedChanges:
    """A file for each session that is taken back; it outlives the sidecar.

    Args:
        folder: made when it is first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, session_id: str) -> Reverted:
        """What was undone; nothing for a session that is not taken back."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            found = json.loads(self._path(session_id).read_bytes())
            if found["session"] == session_id:
                changes = {str(change): str(part) for change, part in found["changes"].items()}
                return Reverted(changes, *([str(id) for id in found[name]] for name in ("undoing", "redoing")))
        return Reverted()

    def put(self, session_id: str, reverted: Reverted) -> None:
        """Record it, in the place of what was there before; nothing forgets the session.

        Raises:
            LocalStorageError: it cannot be written.
        """
        if not reverted.changes:
            self._path(session_id).unlink(missing_ok=True)
            return
        private_folder(self._folder)
        write_private(self._path(session_id), json.dumps({"session": session_id, **asdict(reverted)}).encode())
        self._trim()

    def _path(self, session_id: str) -> Path:
        return self._folder / f"{hashlib.sha256(session_id.encode()).hexdigest()[:32]}.json"

    def _trim(self) -> None:
        with contextlib.suppress(OSError):
            files = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for path in files[:-MOST]:
                path.unlink(missing_ok=True)
