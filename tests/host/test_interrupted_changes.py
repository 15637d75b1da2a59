"""Compare-and-swap that is killed, cancelled, cut off or fails half-way, on every shell at hand (laws 2, 3, 7)."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pybridge.errors import (
    ChangeLeftError,
    NotDirectoryError,
    OutcomeUnknownError,
    RemoteTimeoutError,
)
from pybridge.host.apply_script import apply_script
from pybridge.host.applying import conflicts, plan
from pybridge.host.checksums import version_of
from pybridge.host.control_shell import ShellIdentity
from pybridge.host.facts import parse_probe, script
from pybridge.host.framing import Reply
from pybridge.host.host import Host
from pybridge.host.model import ABSENT, Change, Fetch, VersionConflict
from pybridge.host.recovery import UnfinishedRequest
from pybridge.host.safeguards import NoRecords
from pybridge.host.settling import NothingWrittenError
from pybridge.host.shells import MOST_SHELLS, PRELUDE
from pybridge.mirror.sweep import sweep
from pybridge.mirror.temporaries import TemporaryRecords
from tests.host.conftest import Userland, connected, local_host
from tests.host.test_applying import leftovers, replace
from tests.kit.counterparts import need
from tests.kit.effort import by_effort
from tests.kit.remote_steps import Act, Moment, RemoteSteps


@pytest.mark.parametrize("settled_by", ["itself", "the next"])
@pytest.mark.parametrize("when", ["before", "half"])
async def test_law2_killed_at_every_step_all_files_are_new_or_all_are_old(
    tmp_path: Path, when: str, settled_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if settled_by == "the next":

        async def dead(*arguments: object, **options: object) -> None:
            return None

        monkeypatch.setattr("pybridge.host.files.Files._recover_soon", dead)
    number = by_effort(len(when + settled_by) % 5, 0, 0) + 1
    steps = RemoteSteps(tmp_path / "remote")
    async with connected(local_host([need("dash")], environment={"HOME": str(tmp_path)})) as saviour:
        while await killed_at(Moment(number, when), steps, tmp_path / str(number), saviour):
            number += by_effort(5, 1, 1)
    assert number > 20


async def killed_at(moment: Moment, steps: RemoteSteps, folder: Path, saviour: Host) -> bool:
    """A request of four changes, killed at one of its steps and settled after: was there such a step?

    One file is refilled (it has a second link), one replaced, one made, one removed.
    """
    old, new = b"old content " * 9, b"new content " * 30
    work = folder / "work"
    work.mkdir(parents=True)
    for name in ("moved", "linked", "gone"):
        (work / name).write_bytes(old)
    os.link(work / "linked", work / "twin")
    wanted = {"linked": new, "moved": new, "made/f": new, "gone": None}
    paths = [str(work / name) for name in wanted]
    records = TemporaryRecords(folder / "records", "host")
    path, environment = steps.environment["PATH"], {"HOME": str(folder)}
    doomed_carrier = local_host([need("dash")], prefix=[need("setsid")], path=path, environment=environment)
    async with connected(doomed_carrier) as doomed:
        fetched = await doomed.files.fetch([Fetch(path) for path in paths])
        changes = [Change(f.path, f.version, c) for f, c in zip(fetched, wanted.values(), strict=True) if f.version]
        assert len(changes) == 4
        steps.arm(moment, Act.KILL_TREE)
        doomed.files.records = records
        told = "made"
        try:  # no VersionConflict: what our own dead request left is never taken for somebody's change
            await doomed.files.apply(changes)
        except OutcomeUnknownError:
            told = "unknown"
        killed = steps.happened(moment)
        steps.disarm()
    await sweep(saviour, records)
    assert records.pending() == [], moment
    contents = {name: (work / name).read_bytes() if (work / name).exists() else None for name in wanted}
    before = {"linked": old, "moved": old, "made/f": None, "gone": old}
    assert contents in ((wanted,) if told == "made" else (before, wanted)), moment
    assert (work / "made").exists() == (contents == wanted)
    assert (work / "twin").read_bytes() == (work / "linked").read_bytes()
    assert leftovers(work) == [], moment
    return killed


@pytest.fixture
async def leading(userland: Userland) -> AsyncIterator[Host]:
    """A host whose shells lead sessions of their own, as sshd's do: what they leave behind is found and ended."""
    async with connected(userland(prefix=[need("setsid")])) as host:
        yield host


async def test_law2_a_cancelled_change_leaves_whole_files_and_a_pool_that_works(leading: Host, tmp_path: Path) -> None:
    local, path = leading, tmp_path / "f"
    path.write_bytes(b"0")
    records = TemporaryRecords(tmp_path / "records", "host")
    local.files.records = records
    for turn in range(12):
        fetched = await local.files.fetch_one(str(path))
        assert fetched.version is not None
        task = asyncio.create_task(local.files.apply([Change(str(path), fetched.version, b"%d" % turn * 100_000)]))
        await asyncio.sleep(turn * 0.003)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert path.read_bytes() in (b"0", *(b"%d" % i * 100_000 for i in range(turn + 1)))
    for _ in range(20):
        try:  # what was cancelled may still be carried out
            await replace(local, path, b"works")
            break
        except VersionConflict:
            await asyncio.sleep(0.05)
    assert path.read_bytes() == b"works"


async def test_law7_a_shell_killed_between_requests_is_replaced(local: Host, tmp_path: Path) -> None:
    owners: list[ShellIdentity] = []

    class Records(NoRecords):
        def begin(self, request: UnfinishedRequest) -> None:
            owners.append(request.owner)

    local.files.records = Records()
    path = tmp_path / "f"
    for turn in range(3):
        fetched = await local.files.fetch_one(str(path))
        assert fetched.version is not None
        if owners:
            os.kill(owners[-1].pid, 9)
        await local.files.apply([Change(str(path), fetched.version, b"%d" % turn)])
        assert path.read_bytes() == b"%d" % turn
    assert leftovers(tmp_path) == []


async def test_law2_a_request_the_remote_hangs_at_is_ended_so_that_it_cannot_be_made_later(
    local: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pybridge.host.files.DEFAULT_TIMEOUT", 0.2)
    path = tmp_path / "f"
    path.write_bytes(b"old")
    fetched = await local.files.fetch_one(str(path))
    assert fetched.version is not None
    mark = f"31{secrets.randbelow(10**6)}"  # seconds nobody waits for: it is ended long before
    late = f"sleep {mark}; echo late > {path}; echo done"
    monkeypatch.setattr("pybridge.host.files.apply_script", lambda steps, facts: late)
    with pytest.raises(NothingWrittenError, match="nothing was changed"):
        await local.files.apply([Change(str(path), fetched.version, b"new")])
    running = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if p.parent.exists()]
    assert not [words for words in running if f"sleep\0{mark}\0".encode() in words]
    assert path.read_bytes() == b"old"


async def test_law7_as_many_changes_as_there_are_shells_are_interrupted_at_once(
    local: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is settled over another shell: none may hold the last place while it waits for one."""
    monkeypatch.setattr("pybridge.host.files.apply_script", lambda steps, facts: "kill -9 $$")
    changes = [Change(str(tmp_path / str(n)), ABSENT, b"x") for n in range(MOST_SHELLS + 1)]
    outcomes = await asyncio.gather(*(local.files.apply([change]) for change in changes), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [NothingWrittenError] * len(changes)
    monkeypatch.undo()
    await local.files.apply(changes)
    assert len(list(tmp_path.iterdir())) == len(changes)


async def test_law1_hundreds_of_files_are_one_request(local: Host, tmp_path: Path) -> None:
    paths = [
        f"{tmp_path}/folder {i % 7}/a file with a long name so that together they fill pages {i}" for i in range(200)
    ]
    await local.files.apply([Change(path, ABSENT, path.encode()) for path in paths])
    fetched = await local.files.fetch([Fetch(path) for path in paths])
    assert [f.content for f in fetched] == [path.encode() for path in paths]
    await local.files.apply([Change(f.path, f.version, None) for f in fetched if f.version])
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


async def test_law2_a_rollback_is_finished_although_the_link_is_dead(local: Host, tmp_path: Path) -> None:
    """The request's script with both outputs closed, as a dead link leaves them; its last change fails."""
    first, second, failing = tmp_path / "first", tmp_path / "second", tmp_path / ("x" * 300)
    old = b"old"
    for path in (first, second):
        path.write_bytes(old)
    os.link(second, tmp_path / "twin")
    expected = version_of(old, local.facts.algorithm)
    changes = [
        Change(str(first), expected, b"1"),
        Change(str(second), expected, b"2"),
        Change(str(failing), ABSENT, b"3"),
    ]
    steps = [plan(change, change.path, 0o644, local.facts) for change in changes]
    prelude = "\n".join(script(name) for name in PRELUDE)
    request = f"{prelude}\n({apply_script(steps, local.facts)}\n)\n"
    reading, writing = os.pipe()
    os.close(reading)
    shell = await asyncio.create_subprocess_exec(
        need("dash"), stdin=asyncio.subprocess.PIPE, stdout=writing, stderr=writing
    )
    os.close(writing)
    await shell.communicate(request.encode())
    assert (first.read_bytes(), second.read_bytes()) == (old, old)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("outcome", ["conflict 1", "error 1 refill"])
def test_law3_what_could_not_be_taken_back_is_said_and_stays_recorded(outcome: str) -> None:
    facts = parse_probe(b"digest=sha256sum\nscratch=/tmp\0\n")
    version = version_of(b"old", "sha256")
    steps = [plan(Change(f"/w/{name}", version, b"new"), f"/w/{name}", 0o644, facts) for name in "ab"]
    with pytest.raises(ChangeLeftError, match="/w/a") as caught:
        conflicts(Reply(f"{outcome}\nleft 0\n".encode(), b"", 0), steps)
    assert f"{steps[0].temporary}-" in str(caught.value)


async def test_law2_what_could_not_be_taken_back_is_settled_soon_and_by_another_shell(
    local: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old")
    fetched = await local.files.fetch_one(str(file))
    assert fetched.version is not None
    records = TemporaryRecords(tmp_path / "records", "host")
    local.files.records = records
    told: list[str] = []
    local.files.on_given_up = lambda: told.append("given up")
    monkeypatch.setattr("pybridge.host.files.apply_script", lambda steps, facts: "echo error 0 refill; echo left 0")
    with pytest.raises(ChangeLeftError):
        await local.files.apply([Change(str(file), fetched.version, b"new")])
    assert told == ["given up"]
    [request] = records.abandoned()
    assert request.owner.pid not in shells_of(local)
    await sweep(local, records)
    assert (records.pending(), file.read_bytes()) == ([], b"old")


def shells_of(host: Host) -> list[int]:
    """The control shells that would be given the next requests."""
    return [shell.identity.pid for shell in host._control._idle]


async def test_law2_an_upload_that_takes_too_long_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pybridge.host.uploading._deadline", lambda content: 0.5)
    programs, work = tmp_path / "programs", tmp_path / "work"
    programs.mkdir()
    work.mkdir()
    (programs / "cat").write_text(f"#!{need('dash')}\nexec sleep 30\n")
    (programs / "cat").chmod(0o755)
    async with connected(local_host([need("dash")], path=f"{programs}:{os.environ['PATH']}")) as host:
        with pytest.raises(RemoteTimeoutError, match="not changed"):
            await host.files.apply([Change(str(work / "f"), ABSENT, b"x" * 5_000_000)])
    assert list(work.iterdir()) == []


async def test_law2_a_failure_before_an_upload_is_looked_at_leaves_nothing_of_it(local: Host, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    changes = [Change(f"{tmp_path}/file/new", ABSENT, b"x"), Change(f"{tmp_path}/big", ABSENT, b"x" * 700_000)]
    with pytest.raises(NotDirectoryError):
        await local.files.apply(changes)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
