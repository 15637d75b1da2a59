"""The files that are worked on. Each part is laid out when it is first asked for, and stays."""

from __future__ import annotations

import os
import shutil
from itertools import islice
from pathlib import Path

NEEDLE = "needle"
"""Is in one file of a tree."""

_LINE = "line %09d of a large file, with some text to read\n"
_FULL_TREE = 100_000


class Data:
    """Parts of the working folder.

    Args:
        folder: the working folder, as it is called on the remote and on this machine.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def small(self, name: str, size: int = 1024) -> str:
        """A file of about `size` bytes with lines of its own, by its relative path; laid out anew if it is there."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"line {i} of the file\n" for i in range(max(size // 20, 1))) + f"{name}\n")
        return name

    def large(self, size: int) -> str:
        """A file of exactly `size` bytes of text lines, on the disk in full, by its relative path."""
        name = f"large/{size}"
        path = self.folder / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            block = "".join(_LINE % i for i in range(20_000)).encode()
            with path.open("wb") as file:
                for _ in range(size // len(block)):
                    file.write(block)
                file.write(block[: size % len(block)])
        return name

    def tree(self, count: int) -> str:
        """A folder of `count` small files, by its relative path. One file in the middle has `NEEDLE` in it.

        The order of the files' times has nothing to do with their places. Above 100,000 only that many have content,
        since each then takes a block of the disk.
        """
        name = f"trees/{count}"
        root = self.folder / name
        if root.exists():
            return name
        for i in range(min(count, 700)):
            (root / str(i % 100) / str(i % 7)).mkdir(parents=True, exist_ok=True)
        full = max(count // _FULL_TREE, 1)
        for i in range(count):
            file = os.open(f"{root}/{i % 100}/{i % 7}/{i}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            if i == count // 2:
                os.write(file, f"{NEEDLE}\n".encode())
            elif i % full == 0:
                os.write(file, b"hay\n")
            os.close(file)
        return name

    def tree_files(self, count: int, some: int) -> list[str]:
        """The first `some` files of a tree by number, by their relative paths."""
        name = self.tree(count)
        return list(islice((f"{name}/{i % 100}/{i % 7}/{i}.txt" for i in range(count)), some))

    def tracked(self, count: int) -> list[str]:
        """`count` files of a few bytes, by their relative paths: to be made known."""
        names = [f"tracked/{i % 100}/{i}" for i in range(count)]
        for i, name in enumerate(names):
            path = self.folder / name
            if i < 100:
                path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(f"{i}\n")
        return names

    def remove(self, name: str) -> None:
        """Take away a part that is not needed any more."""
        path = self.folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
