"""Peak resident memory of a tree of processes, from /proc.

Memory that two processes share counts in both. Between two looks a process can take and give back memory: the largest
process is therefore also asked for the peak the kernel kept.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

PERIOD = 0.02
"""Seconds between two looks."""

_PROC = Path("/proc")


def descendants(root: int) -> list[int]:
    """Process ids of all children of a process, of theirs, and so on."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    left = [root]
    while left:
        there = children.get(left.pop(), [])
        found += there
        left += there
    return found


def resident(pid: int) -> tuple[int, int]:
    """Resident memory of a process now, and its peak since `forget_peak`, in bytes; 0 for one that has ended."""
    now = peak = 0
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                peak = int(line.split()[1]) * 1024
            elif line.startswith("VmRSS:"):
                now = int(line.split()[1]) * 1024
    return now, peak


def forget_peak(pid: int) -> None:
    """Let the kernel's peak of a process begin at what it has now (where we may)."""
    with contextlib.suppress(OSError):
        (_PROC / str(pid) / "clear_refs").write_text("5")


class TreeMemory:
    """Peak of a process tree, looked at from a thread while it is watched.

    Args:
        root: the process; this one if not given.
        itself: whether `root` counts too, less what it has now.
    """

    def __init__(self, root: int | None = None, *, itself: bool = False) -> None:
        self._root = root or os.getpid()
        self._base = resident(self._root)[0] if itself else None
        self._peak = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, *, go_on: bool) -> int:
        """The peak since the last `take`, in bytes; without one, what there is now. Watch from here on if `go_on`."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
        self._look()
        self._thread = None
        peak, self._peak = self._peak, 0
        if go_on:
            for pid in self._processes():
                forget_peak(pid)
            self._stop.clear()
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return peak

    def _processes(self) -> list[int]:
        return [*descendants(self._root), *([] if self._base is None else [self._root])]

    def _watch(self) -> None:
        while not self._stop.wait(PERIOD):
            self._look()

    def _look(self) -> None:
        total = largest = 0
        for pid in self._processes():
            base = self._base or 0 if pid == self._root else 0
            now, peak = (max(value - base, 0) for value in resident(pid))
            total += now
            largest = max(largest, peak if self._thread is not None else now)
        self._peak = max(self._peak, total, largest)


@contextlib.contextmanager
def watched(root: int) -> Iterator[TreeMemory]:
    """Watch the children of a process, such as a private sshd's; ask with `take(go_on=False)` at the end."""
    memory = TreeMemory(root)
    memory.take(go_on=True)
    try:
        yield memory
    finally:
        memory.take(go_on=False)
