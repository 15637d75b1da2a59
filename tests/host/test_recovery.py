"""What a dead shell left: finished or undone by the next connection, and never a stranger's file touched (law 2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybridge.host.checksums import version_of
from pybridge.host.control_shell import ShellIdentity
from pybridge.host.host import Host
from pybridge.host.model import Change, Fetch
from pybridge.host.recovery import Leftover, Recovered

OLD, NEW = b"old content\n" * 50, b"new content\n" * 80
DEAD = ShellIdentity(999_999_999, "1", "another-boot")


def leftover(folder: Path, owner: ShellIdentity = DEAD, new: bytes | None = NEW) -> Leftover:
    return Leftover(
        key="k-0",
        path=str(folder / "f"),
        target=str(folder / "f"),
        temporaries=(str(folder / ".pybridge-1"),),
        old_digest=version_of(OLD, "sha256").digest,
        new_digest="absent" if new is None else version_of(new, "sha256").digest,
        owner=owner,
    )


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def lay(folder: Path, target: bytes | None, temporary: bytes | None, old: bytes | None) -> None:
    for name, content in (("f", target), (".pybridge-1", temporary), (".pybridge-1-old", old)):
        if content is not None:
            (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("target", "temporary", "old", "outcome", "after"),
    [
        (OLD, NEW, None, Recovered.CLEAN, OLD),  # died before anything was replaced
        (OLD, NEW[:7], None, Recovered.CLEAN, OLD),  # died while the temporary was written
        (NEW, None, OLD, Recovered.CLEAN, NEW),  # died after, before the backup was removed
        (NEW, NEW, OLD, Recovered.CLEAN, NEW),  # refilled, not yet cleaned up
        (b"", NEW, OLD, Recovered.FINISHED, NEW),  # torn at its first byte
        (NEW[:100], NEW, OLD, Recovered.FINISHED, NEW),  # torn in the middle
        (b"", NEW[:50], OLD, Recovered.UNDONE, OLD),  # torn, and the new content is not whole
        (None, NEW, OLD, Recovered.KEPT, None),  # taken away by another since: nothing of ours does that
        (b"somebody's", NEW, OLD, Recovered.KEPT, b"somebody's"),  # changed by another since
    ],
)
async def test_law2_each_state_a_dead_shell_can_leave(
    host: Host,
    tmp_path: Path,
    target: bytes | None,
    temporary: bytes | None,
    old: bytes | None,
    outcome: Recovered,
    after: bytes | None,
) -> None:
    lay(tmp_path, target, temporary, old)
    assert await host.recover([leftover(tmp_path)]) == {"k-0": outcome}
    expected = [] if after is None else ["f"]
    if after is not None:
        assert (tmp_path / "f").read_bytes() == after
    if outcome is Recovered.KEPT:
        expected = [".pybridge-1", ".pybridge-1-old", *expected]
    assert names_in(tmp_path) == expected


async def test_law2_a_removal_that_was_made_stays_made(host: Host, tmp_path: Path) -> None:
    lay(tmp_path, None, None, OLD)
    assert await host.recover([leftover(tmp_path, new=None)]) == {"k-0": Recovered.CLEAN}
    assert names_in(tmp_path) == []


async def test_law2_a_live_shells_temporaries_are_not_touched(host: Host, tmp_path: Path) -> None:
    owners: list[ShellIdentity] = []

    class Records:
        def begin(self, steps: object, owner: ShellIdentity) -> str:
            owners.append(owner)
            return "key"

        def done(self, key: str) -> None:
            assert key == "key"

    host.files.records = Records()
    (fetched,) = await host.files.fetch([Fetch(str(tmp_path / "g"))])
    assert fetched.version is not None
    await host.files.apply([Change(str(tmp_path / "g"), fetched.version, b"x")])
    lay(tmp_path, b"", NEW, OLD)
    assert await host.recover([leftover(tmp_path, owners[0])]) == {"k-0": Recovered.ALIVE}
    assert names_in(tmp_path) == [".pybridge-1", ".pybridge-1-old", "f", "g"]
    reused = ShellIdentity(owners[0].pid, "1", owners[0].boot_id)  # the same number, another process
    assert await host.recover([leftover(tmp_path, reused)]) == {"k-0": Recovered.FINISHED}


async def test_what_was_not_recorded_is_never_removed(host: Host, tmp_path: Path) -> None:
    lay(tmp_path, OLD, NEW, None)
    (tmp_path / ".pybridge-2").write_bytes(b"another session's")
    await host.recover([leftover(tmp_path)])
    assert names_in(tmp_path) == [".pybridge-2", "f"]
