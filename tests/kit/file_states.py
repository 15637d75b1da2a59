"""What lies below a folder, to be compared with what lies there later."""

from __future__ import annotations

import stat
from pathlib import Path

State = dict[str, tuple[int, int, object]]


def seen(folder: Path) -> State:
    """Everything below a folder: mode, inode, and content or what a symlink says."""
    found: State = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        what = path.readlink() if path.is_symlink() else path.read_bytes() if stat.S_ISREG(state.st_mode) else None
        found[str(path.relative_to(folder))] = (state.st_mode, state.st_ino, what)
    return found


def differing(before: State, after: State) -> str:
    """What is not as it was, in words short enough to be read."""
    lines = []
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one != other:
            lines.append(f"{name}: {_short(one)} -> {_short(other)}")
    return "; ".join(lines)


def _short(entry: tuple[int, int, object] | None) -> str:
    return "none" if entry is None else f"{entry[0]:o} {entry[1]} {str(entry[2])[:40]}"
