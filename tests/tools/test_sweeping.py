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
from pybridge.mirror.sweep import Sweeper, sweep
from pybridge.mirror.temporaries import TemporaryRecords
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


def leave_torn(host: Host, path: Path, owner: ShellIdentity, kept: TemporaryRecords) -> None:
    """A file as a shell leaves it that dies in the middle of a refill, and the record of it."""
    change = Change(str(path), version_of(OLD, host.facts.algorithm), NEW)
    step = plan(change, str(path), 0o644, host.facts)
    kept.begin([step], owner)
    path.write_bytes(NEW[:100])
    Path(step.temporary).write_bytes(NEW)
    Path(f"{step.temporary}-old").write_bytes(OLD)


async def test_law2_a_new_session_puts_right_what_a_dead_one_left(openssh: SshServer, work: Path) -> None:
    async with opened(openssh.ssh_command, work) as first:
        leave_torn(first.host, work / "f", DEAD, records())
    async with opened(openssh.ssh_command, work):
        assert (work / "f").read_bytes() == NEW
        assert [path.name for path in work.iterdir()] == ["f"]
        assert records().pending() == []


async def test_law2_a_link_that_is_back_is_swept(openssh: SshServer, work: Path) -> None:
    async with opened(openssh.ssh_command, work) as remote:
        leave_torn(remote.host, work / "f", DEAD, records())
        sweeper = Sweeper(remote.host, records())
        sweeper.link_is_back()
        await asyncio.to_thread(wait_until, lambda: records().pending() == [], "end of the records", 20)
        await sweeper.close()
        assert (work / "f").read_bytes() == NEW
        assert [path.name for path in work.iterdir()] == ["f"]


async def test_law2_after_a_reboot_no_old_shell_is_taken_for_a_live_one(openssh: SshServer, work: Path) -> None:
    async with opened(openssh.ssh_command, work) as remote:
        owners: list[ShellIdentity] = []

        class Watching(TemporaryRecords):
            def begin(self, steps: object, owner: ShellIdentity) -> str:
                owners.append(owner)
                return super().begin(steps, owner)  # type: ignore[arg-type]

        remote.host.files.records = Watching(work.parent / "records", "host")
        await remote("write", filePath="other", content="x")
        before_the_reboot = dataclasses.replace(owners[0], boot_id="12345678-dead-dead-dead-123456789abc")
        leave_torn(remote.host, work / "f", before_the_reboot, records())
        await sweep(remote.host, records())
    assert (work / "f").read_bytes() == NEW
    assert sorted(path.name for path in work.iterdir()) == ["f", "other"]
