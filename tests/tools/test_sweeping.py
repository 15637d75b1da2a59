"""What a dead session left is put right by the next one, and by this one when its link is back (law 2)."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from pybridge.host.applying import plan
from pybridge.host.checksums import version_of
from pybridge.host.control_shell import ShellIdentity
from pybridge.host.host import Host
from pybridge.host.model import Change
from pybridge.host.recovery import Settled, unfinished
from pybridge.mirror.sweep import Sweeper, sweep
from pybridge.mirror.turns import Turns
from tests.host.test_recovery import owner_of_a_change
from tests.kit.sshd import SshServer
from tests.kit.waiting import wait_until
from tests.tools.opened import opened, records

OLD, NEW = b"old content\n" * 50, b"new content\n" * 80
DEAD = ShellIdentity(999_999_999, "1", "another-boot")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Local files of ours go to a folder of the test."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "local"))
    (tmp_path / "local").mkdir()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder worked in."""
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def leave_torn(host: Host, path: Path, owner: ShellIdentity) -> None:
    """A file as a shell leaves it that dies in the middle of a refill, and the record of a process that is gone too."""
    change = Change(str(path), version_of(OLD, host.facts.algorithm), NEW)
    step = plan(change, str(path), 0o644, host.facts)
    kept = records()
    kept.begin(unfinished([step], owner))
    assert kept._maker_lock is not None
    kept._maker_lock.release()  # as the end of its process does
    path.write_bytes(NEW[:100])
    Path(step.temporary).write_bytes(NEW)
    Path(f"{step.temporary}-old").write_bytes(OLD)


async def test_law2_a_new_session_puts_right_what_a_dead_one_left(openssh: SshServer, work: Path) -> None:
    async with opened(openssh.ssh_command, work) as first:
        leave_torn(first.host, work / "f", DEAD)
    async with opened(openssh.ssh_command, work):
        assert (work / "f").read_bytes() == NEW
        assert [path.name for path in work.iterdir()] == ["f"]
        assert records().pending() == []


async def test_law2_a_link_that_is_back_is_swept(openssh: SshServer, work: Path) -> None:
    async with opened(openssh.ssh_command, work) as remote:
        leave_torn(remote.host, work / "f", DEAD)
        sweeper = Sweeper(remote.host, records())
        sweeper.link_is_back()
        await asyncio.to_thread(wait_until, lambda: records().pending() == [], "end of the records", 20)
        await sweeper.close()
        assert (work / "f").read_bytes() == NEW
        assert [path.name for path in work.iterdir()] == ["f"]


async def test_law2_after_a_reboot_no_old_shell_is_taken_for_a_live_one(openssh: SshServer, work: Path) -> None:
    async with opened(openssh.ssh_command, work) as remote:
        owner = await owner_of_a_change(remote.host, work)
        before_the_reboot = dataclasses.replace(owner, boot_id="12345678-dead-dead-dead-123456789abc")
        leave_torn(remote.host, work / "f", before_the_reboot)
        await sweep(remote.host, records())
    assert (work / "f").read_bytes() == NEW
    assert sorted(path.name for path in work.iterdir()) == ["f", "g"]


async def test_law2_a_torn_file_is_never_finished_with_less_than_was_sent(openssh: SshServer, work: Path) -> None:
    async with opened(openssh.ssh_command, work) as remote:
        leave_torn(remote.host, work / "f", DEAD)
        (temporary,) = work.glob(".pybridge-????????????????")
        temporary.write_bytes(NEW[:200])
        await sweep(remote.host, records())
    assert (work / "f").read_bytes() == OLD
    assert [path.name for path in work.iterdir()] == ["f"]


async def test_law2_a_torn_file_is_never_taken_back_to_half_a_backup(openssh: SshServer, work: Path) -> None:
    async with opened(openssh.ssh_command, work) as remote:
        leave_torn(remote.host, work / "f", DEAD)
        (temporary,) = work.glob(".pybridge-????????????????")
        temporary.write_bytes(NEW[:200])
        Path(f"{temporary}-old").write_bytes(OLD[:50])
        (swept,) = await sweep(remote.host, records())
    assert swept.settlement.state is Settled.KEPT
    assert (work / "f").read_bytes() == NEW[:100]


async def test_law3_settling_waits_for_the_turn_of_its_files(openssh: SshServer, work: Path) -> None:
    async with opened(openssh.ssh_command, work) as remote:
        leave_torn(remote.host, work / "f", DEAD)
        remote.host.files.turns = turns = Turns(work.parent / "turns", "host")
        async with turns.take([str(work / "f")]):
            settling = asyncio.create_task(sweep(remote.host, records()))
            # Time for it: without its turn it would be done long before these are.
            for _ in range(20):
                await remote.host.files.fetch_one(str(work / "f"))
            assert not settling.done()
            assert (work / "f").read_bytes() == NEW[:100]
        await settling
    assert (work / "f").read_bytes() == NEW
