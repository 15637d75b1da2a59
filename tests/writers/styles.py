"""How others change a file: editors, programs, git, our own bash, another session of ours."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.kit.counterparts import need
from tests.tools.kit import Call
from tests.writers.desks import Desk

Put = Callable[[Path, bytes], None]


@dataclass(frozen=True)
class Style:
    """One way to change a file.

    Args:
        name: for the table.
        prepare: given the file and what it is to hold (None: it is removed), makes ready what then acts at once.
        in_place: the file keeps its inode.
    """

    name: str
    prepare: Callable[[Writers, Path, bytes | None], Callable[[], Awaitable[object]]]
    in_place: bool = False


@dataclass(frozen=True)
class Writers:
    """What the others need.

    Args:
        ours: the session under test, for its bash.
        second: another session of ours.
    """

    ours: Desk
    second: Desk


def direct(put: Put) -> Callable[[Writers, Path, bytes | None], Callable[[], Awaitable[object]]]:
    """A style that is a function on local files."""

    def prepare(_: Writers, path: Path, new: bytes | None) -> Callable[[], Awaitable[object]]:
        async def act() -> None:
            if new is None:
                path.unlink()
            else:
                put(path, new)

        return act

    return prepare


def append(path: Path, new: bytes) -> None:
    """As `>>` does, where the old content stays in front."""
    old = path.read_bytes() if path.exists() else b""
    if not new.startswith(old):
        return rewrite(path, new)
    with path.open("ab") as file:
        file.write(new[len(old) :])
    return None


def rewrite(path: Path, new: bytes) -> None:
    """As editors that write in place do: emptied, then filled."""
    with path.open("wb") as file:
        file.write(new)


def rename_over(path: Path, new: bytes) -> None:
    """As rsync, `sed -i` and many editors do: a new file beside it, renamed over it; rsync keeps the sender's time."""
    temporary = path.with_name(f".{path.name}.XyZ123")
    temporary.write_bytes(new)
    os.utime(temporary, (1_700_000_000, 1_700_000_000))
    temporary.replace(path)


def backup_and_new(path: Path, new: bytes) -> None:
    """As vim does by default: the old file renamed away, a new one made in its place, the old one removed."""
    backup = path.with_name(path.name + "~")
    if path.exists():
        path.rename(backup)
    path.write_bytes(new)
    backup.unlink(missing_ok=True)


def through_symlink(path: Path, new: bytes) -> None:
    """As dotfile managers do: the name becomes a symlink to a file elsewhere."""
    home = path.with_name("elsewhere")
    home.mkdir(exist_ok=True)
    target = home / path.name
    target.write_bytes(new)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def our_bash(writers: Writers, path: Path, new: bytes | None) -> Callable[[], Awaitable[object]]:
    """`sed -i` (GNU) through our own bash tool, in the session under test; where there is nothing to edit, `cat`."""
    text = None if new is None else new.decode()
    if text is None:
        command = f"rm {path}"
    elif path.exists() and path.stat().st_size:
        lines = "\\\n".join(text.rstrip("\n").split("\n"))
        command = f"sed -i -e '1i\\\n{lines}' -e d {path}"
    else:
        command = f"cat > {path} <<'E'\n{text}E\n"
    return lambda: writers.ours("bash", command=command)


def git_checkout(_: Writers, path: Path, new: bytes | None) -> Callable[[], Awaitable[object]]:
    """Another branch checked out, where the file is as they want it."""
    folder = path.parent
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    old = path.read_bytes() if path.exists() else None

    def git(*words: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        subprocess.run([need("git"), *identity, *words], cwd=folder, env=environment, check=True, capture_output=True)

    def commit(content: bytes | None) -> None:
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(content)
        git("add", "-A")
        git("commit", "-qm", "c", "--allow-empty")

    git("init", "-q", "-b", "main")
    commit(old)
    git("checkout", "-q", "-b", "theirs")
    commit(new)
    git("checkout", "-q", "main")

    async def act() -> None:
        git("checkout", "-q", "-f", "theirs")

    return act


def second_session(writers: Writers, path: Path, new: bytes | None) -> Callable[[], Awaitable[object]]:
    """Another session's tools. Where the one under test has its turn, the other's change comes after it."""
    second = writers.second

    async def change() -> None:
        if new is None:
            await second("apply_patch", patchText=f"*** Begin Patch\n*** Delete File: {path}\n*** End Patch")
        else:
            await second("write", Call(session_id=str(path)), filePath=str(path), content=new.decode())

    async def act() -> asyncio.Task[None]:
        changing = asyncio.create_task(change())
        while not changing.done() and not second.waits_for_its_turn():
            await asyncio.sleep(0.005)
        return changing

    return act


STYLES = (
    Style("append", direct(append), in_place=True),
    Style("rewrite in place", direct(rewrite), in_place=True),
    Style("rename over (rsync, editors)", direct(rename_over)),
    Style("backup and new file (vim)", direct(backup_and_new)),
    Style("name becomes a symlink", direct(through_symlink)),
    Style("sed -i through our bash", our_bash),
    Style("git checkout", git_checkout),
    Style("second session of ours", second_session),
)
