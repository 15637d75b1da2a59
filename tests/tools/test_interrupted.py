"""What became of an interrupted change is told to the model once, with the next answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybridge.host.recovery import Settled, Settlement
from pybridge.mirror.sweep import Swept
from pybridge.tools.interrupted import MOST
from tests.tools.kit import memory_desk

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("settlement", "words"),
    [
        (Settlement(Settled.MADE), "was made: the new content stands"),
        (Settlement(Settled.FINISHED), "was finished: the new content stands"),
        (Settlement(Settled.NONE), "was not made: the old content stands"),
        (Settlement(Settled.UNDONE), "was taken back: the old content stands"),
        (Settlement(Settled.KEPT, ("/w/b",)), "except for /w/b"),
        (Settlement(Settled.MADE, ("/w/b",)), "was made; /w/b has been changed since"),
        (Settlement(Settled.NONE, ("/w/b",)), "/w/b holds something else by now"),
    ],
)
async def test_the_next_answer_says_what_became_of_it(tmp_path: Path, settlement: Settlement, words: str) -> None:
    desk = memory_desk(tmp_path)
    desk.host.contents["/w/f"] = b"x\n"
    plain = await desk("read", filePath="/w/f")
    desk.session.interrupted.append(Swept(("/w/a", "/w/b"), settlement))
    told = await desk("read", filePath="/w/f")
    said = told.output.removeprefix(plain.output)
    assert said.startswith("\n\n<system-reminder>\nAn interrupted change of /w/a, /w/b ")
    assert words in said
    assert told.metadata == plain.metadata
    assert (await desk("read", filePath="/w/f")).output == plain.output


async def test_many_are_told_in_few_lines(tmp_path: Path) -> None:
    desk = memory_desk(tmp_path)
    desk.host.contents["/w/f"] = b"x\n"
    desk.session.interrupted.extend(Swept((f"/w/{n}",), Settlement(Settled.NONE)) for n in range(MOST + 3))
    output = (await desk("read", filePath="/w/f")).output
    assert output.count("An interrupted change") == MOST
    assert "And 3 more" in output
