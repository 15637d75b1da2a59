"""Several files of one request are looked at together, and each for itself where that does not do (laws 2 and 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pybridge.errors import UnverifiedWriteError
from pybridge.host.apply_script import apply_script
from pybridge.host.applying import plan
from pybridge.host.host import Host
from pybridge.host.model import ABSENT, Change, Fetch, VersionConflict
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


async def changes(host: Host, paths: Sequence[str], new: str = "new ") -> list[Change]:
    """Changes of what the files hold now: `new` is put at their beginning."""
    fetched = await host.files.fetch([Fetch(path) for path in paths])
    return [Change(f.path, f.version, new.encode() + f.content) for f in fetched if f.version and f.content is not None]


async def test_law3_one_changed_file_of_many_is_found_and_none_is_replaced(local: Host, tmp_path: Path) -> None:
    paths = lay_out(tmp_path, [str(i) for i in range(FILES)])
    asked = await changes(local, paths)
    on_disk(paths[13]).write_text("theirs\n")
    with pytest.raises(VersionConflict) as caught:
        await local.files.apply(asked)
    assert [(file.path, file.content) for file in caught.value.current] == [(paths[13], b"theirs\n")]
    assert not any(on_disk(path).read_bytes().startswith(b"ne") for path in paths)
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
        asked = await changes(host, paths, "neü ")  # not plain text, so that it is decoded
        (tmp_path / "lies").touch()
        with pytest.raises(UnverifiedWriteError):
            await host.files.apply(asked)
    assert not any(on_disk(path).read_bytes().startswith(b"ne") for path in paths)
    assert leftovers(work) == []


@pytest.mark.parametrize(("new", "programs"), [("new ", 3), ("neü ", 4), ("same ", 4)])
async def test_a_further_file_costs_few_programs(tmp_path: Path, new: str, programs: int) -> None:
    """For the attributes, to keep the old file, to replace it; and to decode what is not plain text.

    One that holds the same as another may be that other one: it is compared once more.
    """
    steps = RemoteSteps(tmp_path / "steps")
    work = tmp_path / "work"
    work.mkdir()
    taken = []
    async with connected(
        local_host([need("dash")], environment=steps.environment, path=steps.environment["PATH"])
    ) as host:
        for count in (10, 11):
            paths = lay_out(work, [str(i) for i in range(count)])
            if new == "same ":
                for path in paths:
                    on_disk(path).write_text("same\n")
            asked = await changes(host, paths, new)
            steps.arm()
            await host.files.apply(asked)
            taken.append(len(steps.taken()))
            steps.disarm()
    assert taken[1] - taken[0] == programs


PLAIN = {
    "quotes": "it's 'so' \"said\"\n",
    "backslashes": "a\\nb \\101 \\c \\\n",
    "percent": "%s %d %% %b\n",
    "dollars": "$HOME `id` $(id) ! * ? [a] ~ # & ; | < > {a,b}\n",
    "a dash first": "-n\n",
    "no newline at the end": "\n\n a\tb",
    "newlines at the end": "a\n\n\n",
    "nothing": "",
    "long": "'x\\\n" * 20_000,
    "not plain": "\x01\x7fä\r\n",
}


@pytest.mark.parametrize("text", PLAIN.values(), ids=PLAIN)
async def test_what_stands_afterwards_is_what_was_sent(local: Host, tmp_path: Path, text: str) -> None:
    (tmp_path / "old").write_text("old\n")
    fetched = await local.files.fetch([Fetch(f"{tmp_path}/{name}") for name in ("old", "new")])
    await local.files.apply([Change(f.path, f.version or ABSENT, text.encode()) for f in fetched])
    assert {(tmp_path / name).read_bytes() for name in ("old", "new")} == {text.encode()}


async def test_no_content_is_shown_to_a_program_where_the_shell_has_no_printf(local: Host) -> None:
    facts = replace(local.facts, own_printf=False)
    step = plan(Change("/tmp/f", ABSENT, b"secret words\n"), "/tmp/f", 0o644, facts)
    assert "secret words" not in apply_script([step], facts)
    assert "secret words" in apply_script([step], local.facts)
