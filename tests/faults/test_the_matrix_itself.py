"""The instruments of the crash matrix: they see what they are meant to see, and strike where they are told to."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from pybridge.errors import ConnectionLostError, OutcomeUnknownError
from tests.faults.judging import Told, Verdict, told_by
from tests.faults.operations import OPERATIONS
from tests.kit.counterparts import need
from tests.kit.fault_proxy import Fault, FaultProxy, Place, Way
from tests.kit.remote_steps import Act, Moment, RemoteSteps, moments
from tests.kit.ssh_packets import PacketMeter

PATCH = OPERATIONS["apply_patch"]


def stand(folder: Path, files: dict[str, bytes]) -> Path:
    """Those files; one without content whose name has no dot is a folder."""
    for name, content in files.items():
        if "." not in name:
            (folder / name).mkdir(parents=True)
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("files", "told", "wrong"),
    [
        (dict(PATCH.before), Told.NOT_DONE, ""),
        (dict(PATCH.after), Told.DONE, ""),
        (dict(PATCH.after), Told.UNKNOWN, ""),
        (dict(PATCH.before), Told.DONE, "all files are old"),
        (dict(PATCH.after), Told.NOT_DONE, "all files are new"),
        ({**PATCH.before, "changed3.txt": PATCH.after["changed3.txt"]}, Told.UNKNOWN, r"new are \['changed3.txt'\]"),
        ({**PATCH.after, "removed1.txt": PATCH.before["removed1.txt"]}, Told.UNKNOWN, "neither all old nor all new"),
        ({**PATCH.after, "changed3.txt": b"half"}, Told.UNKNOWN, r"neither are \['changed3.txt'\]"),
        ({**PATCH.before, "added/0": b""}, Told.NOT_DONE, r"there are the folders \['added', 'added/0'\]"),
        ({**PATCH.before, "stranger.txt": b""}, Told.NOT_DONE, r"neither are \['stranger.txt'\]"),
    ],
)
def test_the_judge_sees_parts_pieces_and_lies(files: dict[str, bytes], told: Told, wrong: str, tmp_path: Path) -> None:
    verdict = Verdict("point", "kind", told)
    verdict.judge_whole(PATCH, stand(tmp_path / "work", files), "now")
    if wrong:
        with pytest.raises(AssertionError, match=wrong):
            raise AssertionError(str(verdict))
    assert bool(verdict.wrong) == bool(wrong)


def test_the_judge_sees_a_torn_file(tmp_path: Path) -> None:
    verdict = Verdict("point", "kind")
    verdict.judge_each(PATCH, stand(tmp_path / "work", {**PATCH.before, "moved1.txt": b"mov"}), "now")
    assert [text for text in verdict.wrong if "moved1.txt is neither old nor new" in text] == verdict.wrong != []


def test_an_answer_that_leaves_it_open_is_no_other_failure() -> None:
    assert told_by(None) is Told.DONE
    assert told_by(ConnectionLostError("lost")) is Told.NOT_DONE
    assert told_by(OutcomeUnknownError("perhaps", path="/f")) is Told.UNKNOWN


def test_packets_are_found_whatever_the_pieces() -> None:
    plain = [bytes([0, 0, 0, 12, 4, kind, *range(10)]) for kind in (20, 30, 21)]
    sealed = [(32).to_bytes(4, "big") + os.urandom(32 + 16) for _ in range(3)]
    stream = b"SSH-2.0-server\r\n" + b"".join(plain + sealed)
    ends, at = [], 0
    for piece in (b"SSH-2.0-server\r\n", *plain, *sealed):
        ends.append(at := at + len(piece))
    for size in (1, 3, 5, 7, 16, 50, 1000):
        meter = PacketMeter()
        found = [end for i in range(0, len(stream), size) for end in meter.feed(stream[i : i + size])]
        assert found == ends, size
        assert meter.position == len(stream)


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.RESET, Fault.BLACK_HOLE, Fault.LATE])
@pytest.mark.parametrize("offset", [0, 1, 1000, 99_999])
async def test_a_link_fails_at_the_byte_it_was_told(fault: Fault, offset: int) -> None:
    arrived = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            arrived.extend(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sent = os.urandom(100_000)
    async with server, FaultProxy(server.sockets[0].getsockname()[1]) as proxy:
        _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"before")
        await writer.drain()
        while arrived != b"before":
            await asyncio.sleep(0.001)
        proxy.arm(fault, Place(Way.TO_SERVER, None, offset))
        writer.write(sent)
        await proxy.struck.wait()
        while len(arrived) < len(b"before") + offset:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert bytes(arrived) == b"before" + sent[:offset]
        if fault is Fault.LATE:
            await proxy.release()
            assert bytes(arrived) == b"before" + sent
        writer.transport.abort()


def test_places_and_moments_are_read_as_they_are_printed() -> None:
    for place in (Place(Way.TO_SERVER, 3, -1), Place(Way.TO_CLIENT, 0, 1), Place(Way.TO_CLIENT, None, 12)):
        assert Place.parse(str(place)) == place
    assert Moment.parse(str(Moment(12, "half"))) == Moment(12, "half")


def run_steps(steps: RemoteSteps, folder: Path) -> list[str]:
    script = f"cd {folder}; touch one; (mkdir two; echo text | cat > three; echo not reached >&2); rm one"
    environment = {**os.environ, **steps.environment}
    done = subprocess.run(
        [need("dash"), "-c", script], env=environment, start_new_session=True, capture_output=True, check=False
    )
    assert done.returncode in (0, -9)
    return sorted(path.name for path in folder.iterdir())


def test_steps_are_numbered_and_a_shell_dies_at_the_one_it_was_told(tmp_path: Path) -> None:
    steps = RemoteSteps(tmp_path / "remote")
    work = [tmp_path / str(n) for n in range(5)]
    for folder in work:
        folder.mkdir()
    steps.arm()
    assert run_steps(steps, work[0]) == ["three", "two"]
    taken = steps.taken()
    assert [step.split()[0] for step in taken] == ["touch", "mkdir", "cat", "rm"]
    assert [str(moment) for moment in moments(taken)] == [
        *("1-before", "2-before", "3-before", "3-half", "4-before", "4-after")
    ]
    steps.arm(Moment(2, "before"), Act.KILL_TREE)
    assert run_steps(steps, work[1]) == ["one"]
    steps.arm(Moment(3, "half"), Act.KILL_TREE)
    assert run_steps(steps, work[2]) == ["one", "three", "two"]
    assert (work[2] / "three").read_bytes() == b"text\n"  # five bytes are all there is
    steps.arm(Moment(2, "before"), Act.KILL_SUBSHELL)
    assert run_steps(steps, work[3]) == ["two"]  # what it had started ends, and its parent goes on
    steps.disarm()
    assert run_steps(steps, work[4]) == ["three", "two"]
