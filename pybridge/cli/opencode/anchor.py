"""The anchor: the local folder OpenCode is started in, which stands for one folder of one remote."""

from __future__ import annotations

from pathlib import Path

from pybridge.errors import LocalStorageError
from pybridge.locations import private_folder, session_folder

GIT_MARKER = "gitdir: none-this-folder-stands-for-a-remote-one\n"
"""Content of the anchor's `.git` file.

OpenCode looks upwards for the nearest `.git` and asks git about it. Without one here it would find that of a home
folder kept under git, and take the whole home for the project: its snapshots, its branch, its files. A `.git` file that
names no repository ends the search, git refuses it, and OpenCode goes on as in a folder without version control (seen
with 1.15.0 and 1.18.33). GIT_CEILING_DIRECTORIES would not help: OpenCode's own search does not read it.
"""


def prepare_anchor(target_slug: str, workdir: str) -> Path:
    """Create the anchor of one target, or find it as it was.

    Args:
        target_slug: the transport's slug of REMOTE_SSH.
        workdir: REMOTE_WORKDIR as written.

    Returns:
        its absolute path, symlinks resolved.

    Raises:
        LocalStorageError: it cannot be created.
    """
    folder = private_folder(session_folder(target_slug, workdir)).resolve()
    marker = folder / ".git"
    try:
        # A repository the user made here is the user's; it also ends the search.
        if not marker.exists():
            marker.write_text(GIT_MARKER, encoding="ascii", newline="\n")
    except OSError as error:
        raise LocalStorageError(
            f"The file {marker} cannot be written: {error.strerror or error}.",
            next_step="Check the folder's permissions and the free space on this machine.",
        ) from error
    return folder
