"""The output of a command: characters, limits, the file that holds all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybridge.mirror.spool import Spool
from pybridge.tools.command_output import CommandOutput

pytestmark = pytest.mark.unit


@pytest.fixture
def output(tmp_path: Path) -> CommandOutput:
    return CommandOutput(Spool(tmp_path / "spool"))


def test_characters_split_over_pieces_of_two_streams(output: CommandOutput) -> None:
    for stream, data in [("o", b"\xc3"), ("e", b"\xe2\x82"), ("o", b"\xa9"), ("e", b"\xac"), ("o", b"\xff\xc3")]:
        output.feed(stream, data)
    output.finish()
    assert output.shown() == ("é€\ufffd\ufffd", False, None)


def test_short_output_makes_no_file(output: CommandOutput, tmp_path: Path) -> None:
    output.feed("o", b"a\n" * 1999)
    output.finish()
    assert output.shown() == ("a\n" * 1999, False, None)
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize(("lines", "cut"), [(1999, False), (2000, True)])
def test_the_limit_of_lines_counts_the_empty_one_at_the_end(output: CommandOutput, lines: int, cut: bool) -> None:
    output.feed("o", b"a\n" * lines)
    output.finish()
    assert output.shown()[1] is cut


@pytest.mark.parametrize(("size", "cut"), [(51200, False), (51201, True)])
def test_the_limit_of_bytes(output: CommandOutput, size: int, cut: bool) -> None:
    output.feed("o", b"x" * size)
    output.finish()
    assert output.shown()[1] is cut


def test_all_of_a_long_output_is_in_the_file(output: CommandOutput) -> None:
    pieces = [b"line %d \xc3\xa9\n" % n for n in range(50_000)]
    for piece in pieces:
        output.feed("o", piece)
    output.finish()
    text, cut, path = output.shown()
    assert cut and path is not None
    assert Path(path).read_bytes() == b"".join(pieces)
    assert text.startswith(f"...output truncated...\n\nFull output saved to: {path}\n\nline ")
    assert text.endswith("line 49999 é\n")


@pytest.mark.parametrize(("piece", "end"), [(b"x" * 1_000_000, "x" * 51_200), (b"y\n" * 500_000, "y\n" * 1999)])
def test_law_9_memory_does_not_grow_with_the_output(output: CommandOutput, piece: bytes, end: str) -> None:
    for _ in range(20):
        output.feed("o", piece)
        assert sum(len(text) for text, _ in output._pieces) < 2_000_000
    output.finish()
    text, cut, _ = output.shown()
    assert cut and text.endswith("\n\n" + end)
    assert output.preview.startswith("...\n\n") and len(output.preview) == 30_005


def test_a_small_piece_behind_a_large_one_does_not_hide_it(output: CommandOutput) -> None:
    output.feed("o", b"x" * 204_790)
    output.feed("o", b"the end of it all")
    output.finish()
    assert output.shown()[0].endswith("x" * 40_000 + "the end of it all")


def test_a_disk_that_takes_nothing_costs_the_file_only(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file in the way")
    output = CommandOutput(Spool(tmp_path / "spool"))
    output.feed("o", b"x\n" * 60_000)
    output.finish()
    text, cut, path = output.shown()
    assert cut and path is None
    assert text.startswith("...output truncated...\n\nx\n") and text.endswith("x\n")
