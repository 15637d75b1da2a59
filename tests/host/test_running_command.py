"""How a command ended is known only once the remote has said so."""

from __future__ import annotations

import pytest

from pybridge.errors import ConnectionLostError
from pybridge.host.lost_commands import LostCommands
from pybridge.host.model import Command
from pybridge.host.running_command import RunningCommand
from pybridge.transport.process import ExitStatus, Stream

pytestmark = pytest.mark.unit

MARKER = "m" * 32


class EndsUnsaid:
    """A process whose streams end and whose link is lost before its exit status comes."""

    exit_status: ExitStatus | None = None

    def __init__(self) -> None:
        self._pieces = [(Stream.STDOUT, f"\n{MARKER} 42 ok 7\nall tests ran\n".encode()), (Stream.STDERR, b"")]

    async def read(self) -> tuple[Stream, bytes] | None:
        return self._pieces.pop(0) if self._pieces else None

    async def wait_exit(self) -> ExitStatus:
        raise ConnectionLostError("The connection was lost.")

    async def write(self, data: bytes) -> None:
        raise AssertionError

    def write_eof(self) -> None:
        raise AssertionError

    def close(self) -> None:
        return None


async def end_nothing(*arguments: object) -> None:
    raise AssertionError("there is nothing to end")


async def test_law3_output_without_an_exit_status_from_a_lost_link_is_no_completed_command() -> None:
    said: list[bytes] = []
    lost = LostCommands(control=None, leads=True)  # type: ignore[arg-type]
    command = Command("make test", "/w", on_output=lambda stream, data: said.append(data))
    running = RunningCommand(EndsUnsaid(), command, MARKER, "/bin/sh", None, end_nothing, lost)
    with pytest.raises(ConnectionLostError):
        await running.finish()
    assert b"".join(said) == b"all tests ran\n"
