"""Small file systems only the remote sees: full, without inodes, over quota, read-only, whenever a test says so."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.kit.counterparts import missing, need
from tests.kit.sshd import SshServer, start_openssh

MIB = 1024 * 1024
BLOCK = 4096


class Disk:
    """A file system in a server's mount namespace.

    Args:
        server: the server that sees it.
        place: where the remote sees it; `here` is the same as this process can look at it.
        scratch: the remote's folder for temporaries elsewhere.
    """

    def __init__(self, server: SshServer, place: Path, scratch: Path) -> None:
        self.server = server
        self.place = place
        self.scratch = scratch
        self.here = Path(f"/proc/{server.pid}/root{place}")
        self._filler = self.here / "filler"

    def enter(self, *words: str) -> None:
        """Run a program as root where the remote's file systems are seen."""
        done = subprocess.run(
            [need("nsenter"), "-t", str(self.server.pid), "-m", *words], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            missing(f"{' '.join(words)}: {done.stderr.strip()}")

    def free(self) -> int:
        """Bytes that can still be written."""
        state = os.statvfs(self.here)
        return state.f_bavail * state.f_frsize

    def fill(self, leaving: int = 0) -> None:
        """Let something else take the room, until so many bytes are left."""
        self.relieve()
        with self._filler.open("wb", buffering=0) as file:
            while (left := self.free() - leaving) > 0:
                try:
                    file.write(b"x" * min(left, MIB // 4))
                except OSError:
                    break
            # What was removed lately may still come back as free.
            while leaving == 0:
                os.fsync(file.fileno())
                try:
                    file.write(b"x" * BLOCK)
                except OSError:
                    break

    def take_inodes(self) -> None:
        """Let something else take every inode that is left."""
        folder = self.here / "inodes"
        folder.mkdir(exist_ok=True)
        with contextlib.suppress(OSError):
            for number in range(10_000):
                (folder / str(number)).touch()

    def read_only(self, yes: bool) -> None:
        """Mount it read-only, or not."""
        self.enter("mount", "-o", f"remount,{'ro' if yes else 'rw'}", str(self.place))

    def relieve(self) -> None:
        """Give back all that was taken."""
        self._filler.unlink(missing_ok=True)
        folder = self.here / "inodes"
        if folder.exists():
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()


@contextlib.contextmanager
def remote_disk(folder: Path, kind: str, *, size: int = 400 * 1024, inodes: int = 60) -> Iterator[Disk]:
    """A server with a disk.

    Args:
        folder: an empty folder for its files.
        kind: "tmpfs", of `size` bytes and so many inodes; "ext4", of 8 MiB; or "quota", where `size` bytes are allowed.
    """
    place, scratch, home = folder / "disk", folder / "scratch", folder / "home"
    for new in (place, scratch, home):
        new.mkdir()
    options = [f"SetEnv TMPDIR={scratch} HOME={home}", "MaxStartups 50"]
    server = start_openssh(folder / "sshd", options, hidden=[place], home=home)
    try:
        disk = Disk(server, place, scratch)
        match kind:
            case "tmpfs":
                disk.enter("mount", "-o", f"remount,size={size},nr_inodes={inodes}", str(place))
            case "ext4":
                disk.enter("mount", "-o", "loop", str(_image(folder, "ext4", 8)), str(place))
            case "quota":
                # Quotas of ext4 need a part of the kernel that often is not there; those of btrfs come with it.
                disk.enter("mount", "-o", "loop", str(_image(folder, "btrfs", 128)), str(place))
                disk.enter(need("btrfs"), "quota", "enable", str(place))
                disk.enter(need("btrfs"), "qgroup", "limit", str(size), str(place))
        yield disk
    finally:
        server.stop()


def _image(folder: Path, kind: str, mebibytes: int) -> Path:
    image = folder / f"image.{kind}"
    with image.open("wb") as file:
        file.truncate(mebibytes * MIB)
    words = [need(f"mkfs.{kind}"), "-q", *(["-m", "0"] if kind == "ext4" else []), str(image)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        missing(f"{' '.join(words)}: {done.stderr.strip()}")
    return image
