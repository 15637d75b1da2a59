"""`manifest.json`: what a mirror's folder is, so that no mirror is taken for another's or read in a wrong format."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from pathlib import Path

import filelock

from pybridge.errors import LocalStorageError
from pybridge.locations import private_folder, write_private
from pybridge.mirror.path_mapper import NAMES, TREES
from pybridge.mirror.process_lock import process_lock

FORMAT = 1
MANIFEST = "manifest.json"
ENTRIES = "entries"
LOCK = ".lock"

_LAYOUT = "contents under in/, out/ and long/ by escaped remote path; entries/ by SHA-256 of the remote path"
_LOGGER = logging.getLogger(__name__)


def open_manifest(folder: Path, host: str, workdir: str) -> bool:
    """Make sure the folder is the mirror of this target, in this format.

    A damaged manifest, or one of another target, is moved aside and the mirror starts empty. The folder of a newer
    format is left alone.

    Args:
        folder: created if missing.
        host: slug of the target.
        workdir: remote absolute folder.

    Returns:
        whether the folder can be used; when not, the log says why.
    """
    wanted = {"format": FORMAT, "target": host, "workdir": workdir, "layout": _LAYOUT}
    try:
        private_folder(folder)
        # Two processes at their first start would otherwise empty each other's new mirror.
        with process_lock(folder / LOCK, wait=10):
            found = _read(folder / MANIFEST)
            if found == wanted:
                return True
            version = found.get("format") if found is not None else None
            if isinstance(version, int) and version > FORMAT:
                _LOGGER.warning(
                    "%s was made by a newer pybridge (format %d) and is not used; `pybridge clean` removes it.",
                    folder,
                    version,
                )
                return False
            _start_empty(folder)
            write_private(folder / MANIFEST, json.dumps(wanted, indent=1).encode())
            return True
    except (LocalStorageError, OSError, filelock.Timeout) as error:
        _LOGGER.warning("The mirror %s cannot be used, so files are transferred each time: %s", folder, error)
        return False


def _read(manifest: Path) -> dict[str, object] | None:
    try:
        found = json.loads(manifest.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _start_empty(folder: Path) -> None:
    manifest = folder / MANIFEST
    if manifest.is_dir():
        shutil.rmtree(manifest)
    with contextlib.suppress(FileNotFoundError):
        manifest.replace(folder / f"{MANIFEST}.aside")
        _LOGGER.warning("%s was damaged or of another target: moved aside, the mirror starts empty.", manifest)
    for name in (*TREES, NAMES, ENTRIES):
        shutil.rmtree(folder / name, ignore_errors=True)
