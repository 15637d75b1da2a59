"""Commands of 2 MB and paths at the system's limit: each shell gets the whole text, and no file is lost or made."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pybridge.errors import FileError
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import ABSENT, Change, Command, CommandResult
from pybridge.transport.local_process import LocalCarrier
from tests.kit.counterparts import need

SIZE = 2 * 1024 * 1024
PATH_MAX = 4096
"""Bytes of a path on Linux, its closing NUL among them (limits.h)."""


@pytest.fixture
async def carrier() -> AsyncIterator[LocalCarrier]:
    need("sh")
    carrier = LocalCarrier(["sh", "-c"])
    yield carrier
    await carrier.close()


@pytest.mark.parametrize(
    "shell", ["dash", *(pytest.param(name, marks=pytest.mark.whole) for name in ("bash", "zsh", "busybox"))]
)
async def test_a_command_of_2_MB(carrier: LocalCarrier, tmp_path: Path, shell: str) -> None:
    program = need(shell)
    if shell == "busybox":
        (tmp_path / "ash").symlink_to(program)
        program = str(tmp_path / "ash")
    host = await Host.connect(carrier, HostOptions(str(tmp_path), shell=program, login=False))
    output = bytearray()
    try:
        # One word is far beyond what an argument of a program may be; a builtin takes it, as in a shell here.
        text = f"word={'x' * SIZE}\nprintf '%s\\n' ${{#word}} $((6 * 7))"
        ran = await host.run(Command(text, str(tmp_path), on_output=lambda stream, data: output.extend(data)))
    finally:
        await host.close()
    assert (ran, bytes(output)) == (CommandResult(0, None), f"{SIZE}\n42\n".encode())


def path_of(length: int, top: Path) -> str:
    """A path of so many bytes below `top`, no name in it longer than a file system takes."""
    rest = length - len(os.fsencode(top))
    assert rest > 300
    names = "/" + "/".join(["d" * 99] * (rest // 100 - 1))
    return f"{top}{names}/{'f' * (rest - len(names) - 1)}"


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
async def test_paths_up_to_the_limit_work_and_longer_ones_fail_with_nothing_made(
    carrier: LocalCarrier, tmp_path: Path
) -> None:
    host = await Host.connect(carrier, HostOptions(str(tmp_path), login=False))
    try:
        # Room for the name of the temporary beside it.
        fits = path_of(PATH_MAX - 1 - 40, tmp_path)
        await host.files.apply([Change(fits, ABSENT, b"content\n")])
        found = await host.files.fetch_one(fits)
        assert (found.content, found.error) == (b"content\n", None)

        before = sorted(tmp_path.iterdir())
        longer = path_of(PATH_MAX, tmp_path / "other")
        assert (await host.files.fetch_one(longer)).content is None
        with pytest.raises(FileError, match="too long"):
            await host.files.apply([Change(longer, ABSENT, b"content\n")])
        assert sorted(tmp_path.iterdir()) == before
    finally:
        await host.close()
