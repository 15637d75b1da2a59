"""Remote paths as text: made absolute and free of `.`, `..` and doubled slashes, without asking the remote."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from pybridge.errors import ToolArgumentsError


def normalize_remote(path: str, workdir: str, home: str, anchors: Iterable[PurePath] = ()) -> str:
    """The absolute remote path a tool call means.

    Args:
        path: as the model gives it: absolute, relative to `workdir`, `~`, `~/x`, or under a local anchor folder.
        workdir: remote absolute folder.
        home: remote absolute home folder.
        anchors: spellings of the local folder OpenCode was started in; a path under one of them means the same path
            under `workdir`. A Windows anchor is compared without regard to case and kind of slash.

    Returns:
        an absolute path; `..` is resolved in the text, so symlinks are the remote's to resolve (`Fetched.real`).

    Raises:
        ToolArgumentsError: the path holds a NUL character.
    """
    if "\0" in path:
        raise ToolArgumentsError(
            f"The path {path!r} contains a NUL character.",
            next_step="Give the path without it; no file has such a name.",
        )
    for anchor in anchors:
        below = _below_anchor(path, anchor)
        if below is not None:
            return join_remote(workdir, below)
    if path == "~" or path.startswith("~/"):
        return join_remote(home, "./" + path[2:])  # `~//x` is in the home folder too
    return join_remote(workdir, path)


def join_remote(folder: str, path: str) -> str:
    """`path` taken from `folder`, absolute, with `.`, `..` and doubled slashes resolved in the text.

    Args:
        folder: remote absolute folder.
        path: absolute paths stand for themselves.
    """
    full = path if path.startswith("/") else f"{folder}/{path}"
    parts: list[str] = []
    for part in full.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def is_below(path: str, folder: str) -> bool:
    """Whether a normalised remote path is `folder` or in it."""
    return folder == "/" or path == folder or path.startswith(folder + "/")


def _below_anchor(path: str, anchor: PurePath) -> str | None:
    """What follows the anchor in `path`, with slashes; None when `path` is not under it."""
    local = type(anchor)(path)
    if not local.is_absolute():
        return None
    parts: list[str] = []
    for part in local.parts[1:]:
        if part == "..":
            del parts[-1:]
        else:
            parts.append(part)
    try:
        return type(anchor)(local.anchor, *parts).relative_to(anchor).as_posix()
    except ValueError:
        return None
