"""Several files of one request are looked at together, and each for itself where that does not do (laws 2 and 3)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pybridge.errors import UnverifiedWriteError
from pybridge.host.host import Host
from pybridge.host.model import Change, Fetch, VersionConflict
from tests.host.conftest import Userland, connected, local_host
from tests.host.test_applying import leftovers, on_disk
from tests.host.test_lying_programs import lying
from tests.kit.counterparts import need
from tests.kit.remote_steps import RemoteSteps

FILES = 20
ODD = ["a\nb", "end\n", "\\", "back\\slash", "*", "it's", " lead", "\udcff\udcfe", "$(touch pwned)"]


def lay_out(folder: Path, names: Sequence[str]) -> list[str]:
    """Files with a line each; their paths."""
    paths = [f"{folder}/{name}" for name in names]
    for path in paths:
        on_disk(path).write_text(f"{path.encode('utf-8', 'surrogateescape')!r}\n")
    return paths


async def changes(host: Host, paths: Sequence[str]) -> list[Change]:
    """Changes of what the files hold now."""
    fetched = await host.files.fetch([Fetch(path) for path in paths])
    return [Change(f.path, f.version, b"new " + f.content) for f in fetched if f.version and f.content is not None]


async def test_law3_one_changed_file_of_many_is_found_and_none_is_replaced(local: Host, tmp_path: Path) -> None:
    paths = lay_out(tmp_path, [str(i) for i in range(FILES)])
    asked = await changes(local, paths)
    on_disk(paths[13]).write_text("theirs\n")
    with pytest.raises(VersionConflict) as caught:
        await local.files.apply(asked)
    assert [(file.path, file.content) for file in caught.value.current] == [(paths[13], b"theirs\n")]
    assert not any(on_disk(path).read_bytes().startswith(b"new ") for path in paths)
    assert leftovers(tmp_path) == []


async def test_law3_one_file_of_many_that_leads_elsewhere_is_found(local: Host, tmp_path: Path) -> None:
    paths = lay_out(tmp_path, [str(i) for i in range(FILES)])
    asked = await changes(local, paths)
    on_disk(paths[7]).rename(tmp_path / "moved")
    on_disk(paths[7]).symlink_to("moved")
    with pytest.raises(VersionConflict) as caught:
        await local.files.apply(asked)
    assert [file.path for file in caught.value.current] == [paths[7]]
    assert leftovers(tmp_path) == []


async def test_odd_names_among_many_are_changed(userland: Userland, tmp_path: Path) -> None:
    paths = lay_out(tmp_path, [*ODD, "one", "two", "three"])
    async with connected(userland()) as host:
        asked = await changes(host, paths)
        await host.files.apply(asked)
    assert [on_disk(path).read_bytes() for path in paths] == [change.content for change in asked]
    assert leftovers(tmp_path) == []
    assert not (tmp_path / "pwned").exists()


async def test_each_of_many_keeps_its_own_mode(userland: Userland, tmp_path: Path) -> None:
    paths = lay_out(tmp_path, [str(i) for i in range(FILES)])
    modes = [0o600 + 0o11 * (i % 6) for i in range(FILES)]
    for path, mode in zip(paths, modes, strict=True):
        on_disk(path).chmod(mode)
    async with connected(userland()) as host:
        await host.files.apply(await changes(host, paths))
    assert [on_disk(path).stat().st_mode & 0o7777 for path in paths] == modes


async def test_law2_one_of_many_that_arrives_otherwise_than_it_was_sent_stops_all(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    paths = lay_out(work, [str(i) for i in range(FILES)])
    one_torn = '$REAL "$@" | sed "s|/7\'|/X\'|"; exit 0'
    async with lying(tmp_path, "base64", one_torn) as host:
        asked = await changes(host, paths)
        (tmp_path / "lies").touch()
        with pytest.raises(UnverifiedWriteError):
            await host.files.apply(asked)
    assert not any(on_disk(path).read_bytes().startswith(b"new ") for path in paths)
    assert leftovers(work) == []


async def test_a_further_file_costs_five_programs(tmp_path: Path) -> None:
    """One that decodes, one for the attributes, one that keeps the old file, one that compares, one that replaces."""
    steps = RemoteSteps(tmp_path / "steps")
    work = tmp_path / "work"
    work.mkdir()
    taken = []
    async with connected(
        local_host([need("dash")], environment=steps.environment, path=steps.environment["PATH"])
    ) as host:
        for count in (10, 11):
            asked = await changes(host, lay_out(work, [str(i) for i in range(count)]))
            steps.arm()
            await host.files.apply(asked)
            taken.append(len(steps.taken()))
            steps.disarm()
    assert taken[1] - taken[0] == 5
