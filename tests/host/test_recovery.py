"""What a dead shell left: finished or undone by the next connection, and never a stranger's file touched (law 2)."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from pybridge.host.checksums import version_of
from pybridge.host.control_shell import ShellIdentity
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import ABSENT, Change
from pybridge.host.recovery import Leftover, Settled, Settlement, UnfinishedRequest
from pybridge.host.safeguards import NoRecords
from pybridge.transport.carriers import RemoteCarrier

OLD, NEW = b"old content\n" * 50, b"new content\n" * 80
DEAD = ShellIdentity(999_999_999, "1", "another-boot")


def leftover(folder: Path, name: str = "f", old: bytes | None = OLD, new: bytes | None = NEW) -> Leftover:
    digests = ["absent" if content is None else version_of(content, "sha256").digest for content in (old, new)]
    path = str(folder / name)
    return Leftover(path, path, (str(folder / f".pybridge-{name}"),), *digests)


def request(*leftovers: Leftover, owner: ShellIdentity = DEAD, fence: bool = False) -> UnfinishedRequest:
    return UnfinishedRequest("k", owner, leftovers, fence)


async def settled(host: Host, *leftovers: Leftover, owner: ShellIdentity = DEAD, fence: bool = False) -> Settlement:
    await at_rest(host)
    return (await host.recover([request(*leftovers, owner=owner, fence=fence)]))["k"]


async def at_rest(host: Host) -> None:
    """Wait for what a host starts in the background.

    dropbear 2022.83 drops a connection now and then when a command ends while a channel is opened
    (`Carrier.opening_is_delicate`), and shells are ended here.
    """
    await host.login_captured()
    await host._warming
    while host._shells._opening:
        await asyncio.wait(host._shells._opening)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def lay(
    folder: Path,
    target: bytes | None,
    temporary: bytes | None = None,
    old: bytes | None = None,
    was: bytes | None = None,
    name: str = "f",
) -> None:
    names = (name, f".pybridge-{name}", f".pybridge-{name}-old", f".pybridge-{name}-was")
    for file, content in zip(names, (target, temporary, old, was), strict=True):
        if content is not None:
            (folder / file).write_bytes(content)


@pytest.mark.parametrize(
    ("target", "temporary", "old", "was", "outcome", "after"),
    [
        (OLD, NEW, None, None, Settled.NONE, OLD),  # died before anything was replaced
        (OLD, NEW[:7], None, None, Settled.NONE, OLD),  # died while the temporary was written
        (OLD, NEW, None, OLD, Settled.NONE, OLD),  # died just before the replace
        (OLD, NEW, OLD[:9], None, Settled.NONE, OLD),  # died while the backup was written
        (NEW, None, None, OLD, Settled.MADE, NEW),  # died after, before the backup was removed
        (NEW, NEW, OLD, None, Settled.MADE, NEW),  # refilled, not yet cleaned up
        (b"", NEW, OLD, None, Settled.FINISHED, NEW),  # torn at its first byte
        (NEW[:100], NEW, OLD, None, Settled.FINISHED, NEW),  # torn in the middle
        (OLD[:100], NEW, OLD, None, Settled.FINISHED, NEW),  # torn while it was taken back
        (b"", NEW[:50], OLD, None, Settled.UNDONE, OLD),  # torn, and the new content is not whole
        (None, NEW, OLD, None, Settled.KEPT, None),  # taken away by another since: nothing of ours does that
        (b"somebody's", NEW, OLD, None, Settled.KEPT, b"somebody's"),  # changed by another since it was refilled
        (b"somebody's", None, None, OLD, Settled.NONE, b"somebody's"),  # replaced by another, who saw it whole
    ],
)
async def test_law2_each_state_a_dead_shell_can_leave(
    host: Host,
    tmp_path: Path,
    target: bytes | None,
    temporary: bytes | None,
    old: bytes | None,
    was: bytes | None,
    outcome: Settled,
    after: bytes | None,
) -> None:
    lay(tmp_path, target, temporary, old, was)
    settlement = await settled(host, leftover(tmp_path))
    assert settlement.state is outcome
    expected = [] if after is None else ["f"]
    if after is not None:
        assert (tmp_path / "f").read_bytes() == after
    if outcome is Settled.KEPT:
        expected = [".pybridge-f", ".pybridge-f-old", *expected]
        assert settlement.kept == (str(tmp_path / "f"),)
    assert names_in(tmp_path) == expected


async def test_law2_a_removal_that_was_made_stays_made(host: Host, tmp_path: Path) -> None:
    lay(tmp_path, None, None, OLD)
    assert await settled(host, leftover(tmp_path, new=None)) == Settlement(Settled.MADE)
    assert names_in(tmp_path) == []


async def test_law2_a_removed_symlink_counts_as_removed_although_its_file_is_there(host: Host, tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(OLD)
    (tmp_path / ".pybridge-f-old").symlink_to("real")
    link = Leftover(str(tmp_path / "f"), str(tmp_path / "real"), (str(tmp_path / ".pybridge-f"),), "sha256:1", "absent")
    assert await settled(host, link) == Settlement(Settled.MADE)
    assert names_in(tmp_path) == ["real"]


def lay_patch(folder: Path) -> list[Leftover]:
    """A request of six changes that died when four were made; the fifth is torn, the sixth not begun."""
    (folder / "made" / "deep").mkdir(parents=True)
    lay(folder, NEW, was=OLD, name="moved")
    lay(folder, None, old=OLD, name="gone")
    lay(folder / "made" / "deep", NEW, name="added")
    lay(folder, NEW, NEW, OLD, name="refilled")
    lay(folder, NEW[:9], NEW, OLD, name="torn")
    lay(folder, OLD, NEW, name="waiting")
    added = leftover(folder / "made" / "deep", "added", old=None)
    return [
        leftover(folder, "moved"),
        leftover(folder, "gone", new=None),
        Leftover(added.path, added.target, added.temporaries, added.old_digest, added.new_digest, str(folder / "made")),
        leftover(folder, "refilled"),
        leftover(folder, "torn"),
        leftover(folder, "waiting"),
    ]


async def test_law2_a_request_of_several_files_is_taken_back_as_a_whole(host: Host, tmp_path: Path) -> None:
    assert await settled(host, *lay_patch(tmp_path)) == Settlement(Settled.UNDONE)
    names = ["gone", "moved", "refilled", "torn", "waiting"]
    assert names_in(tmp_path) == names
    assert [(tmp_path / name).read_bytes() for name in names] == [OLD] * 5


async def test_law2_a_request_whose_files_are_all_new_is_made(host: Host, tmp_path: Path) -> None:
    leftovers = lay_patch(tmp_path)
    (tmp_path / "torn").write_bytes(NEW)
    (tmp_path / "waiting").write_bytes(NEW)
    (tmp_path / ".pybridge-moved-was").unlink()  # the tidying up had begun
    assert await settled(host, *leftovers) == Settlement(Settled.MADE)
    assert names_in(tmp_path) == ["made", "moved", "refilled", "torn", "waiting"]


async def test_law3_what_somebody_changed_since_stays_when_the_rest_is_taken_back(host: Host, tmp_path: Path) -> None:
    leftovers = lay_patch(tmp_path)
    (tmp_path / "refilled").write_bytes(b"somebody's")
    (tmp_path / "gone").write_bytes(b"somebody's new one")
    settlement = await settled(host, *leftovers)
    assert (settlement.state, set(settlement.kept)) == (
        Settled.KEPT,
        {str(tmp_path / "refilled"), str(tmp_path / "gone")},
    )
    assert (tmp_path / "refilled").read_bytes() == b"somebody's"
    assert (tmp_path / "gone").read_bytes() == b"somebody's new one"
    assert (tmp_path / ".pybridge-refilled-old").read_bytes() == OLD
    assert not (tmp_path / "made").exists()
    for name in ("moved", "torn", "waiting"):
        assert (tmp_path / name).read_bytes() == OLD


async def test_law3_a_change_that_was_made_whole_is_not_taken_back_for_an_edit_since(
    host: Host, tmp_path: Path
) -> None:
    lay(tmp_path, NEW, name="added")
    lay(tmp_path, NEW + b"somebody's", name="edited")
    request = (leftover(tmp_path, "added", old=None), leftover(tmp_path, "edited"))
    assert await settled(host, *request) == Settlement(Settled.MADE, (str(tmp_path / "edited"),))
    assert (tmp_path / "added").read_bytes() == NEW
    assert (tmp_path / "edited").read_bytes() == NEW + b"somebody's"


async def test_law3_where_only_somebodys_content_stands_nothing_is_claimed(host: Host, tmp_path: Path) -> None:
    lay(tmp_path, NEW + b"somebody's")
    assert await settled(host, leftover(tmp_path)) == Settlement(Settled.NONE, (str(tmp_path / "f"),))


async def test_law3_what_somebody_wrote_into_the_replaced_file_is_given_back(host: Host, tmp_path: Path) -> None:
    lay(tmp_path, NEW, was=OLD + b"somebody's")
    assert await settled(host, leftover(tmp_path)) == Settlement(Settled.UNDONE)
    assert (tmp_path / "f").read_bytes() == OLD + b"somebody's"
    assert names_in(tmp_path) == ["f"]


class Owners(NoRecords):
    """Records that remember which shell was to make each change."""

    def __init__(self) -> None:
        self.shells: list[ShellIdentity] = []

    def begin(self, request: UnfinishedRequest) -> None:
        self.shells.append(request.owner)


async def owner_of_a_change(host: Host, folder: Path) -> ShellIdentity:
    host.files.records = owners = Owners()
    await host.files.apply([Change(str(folder / "g"), ABSENT, b"x")])
    return owners.shells[0]


async def test_law2_a_live_shells_temporaries_are_not_touched(host: Host, tmp_path: Path) -> None:
    owner = await owner_of_a_change(host, tmp_path)
    lay(tmp_path, b"", NEW, OLD)
    assert await settled(host, leftover(tmp_path), owner=owner) == Settlement(Settled.ALIVE)
    assert names_in(tmp_path) == [".pybridge-f", ".pybridge-f-old", "f", "g"]
    reused = ShellIdentity(owner.pid, "1", owner.boot_id)  # the same number, another process
    assert await settled(host, leftover(tmp_path), owner=reused) == Settlement(Settled.FINISHED)


async def test_law2_a_shell_nobody_waits_for_is_ended_before_its_request_is_settled(
    host: Host, tmp_path: Path, pool: RemoteCarrier
) -> None:
    other = await Host.connect(pool, HostOptions(workdir=str(tmp_path), login=False))
    try:
        owner = await owner_of_a_change(other, tmp_path)
        lay(tmp_path, b"", NEW, OLD)
        assert await settled(host, leftover(tmp_path), owner=owner, fence=True) == Settlement(Settled.FINISHED)
        assert not Path(f"/proc/{owner.pid}").exists()
    finally:
        await other.close()


async def test_law2_another_process_with_the_number_of_a_dead_shell_is_not_ended(host: Host, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        lay(tmp_path, OLD, NEW)
        reused = ShellIdentity(stranger.pid, "1", boot)
        assert await settled(host, leftover(tmp_path), owner=reused, fence=True) == Settlement(Settled.NONE)
        assert stranger.poll() is None
        stranger.kill()


async def test_what_was_not_recorded_is_never_removed(host: Host, tmp_path: Path) -> None:
    lay(tmp_path, OLD, NEW)
    (tmp_path / ".pybridge-2").write_bytes(b"another session's")
    await settled(host, leftover(tmp_path))
    assert names_in(tmp_path) == [".pybridge-2", "f"]
