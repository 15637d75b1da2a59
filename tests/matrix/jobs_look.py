"""The jobs of the rows that change nothing: glob, grep and read."""

from __future__ import annotations

import pytest

from pybridge.errors import FileMissingError, ToolError
from tests.matrix.work import Work


async def glob(work: Work) -> None:
    """Files at any depth by a pattern with braces, newest first, hidden folders and odd names among them; a pattern
    that matches nothing says so."""
    ages = {
        "src/newest.py": "202001020304.05",
        "src/deep/er/second.js": "202001020304.04",
        "src/it's $(odd) [x] -n.py": "202001020304.03",
        "oldest.py": "200101010000.00",
    }
    for name, time in ages.items():
        work.truth.write(f"{work.folder}/{name}", b"x\n", time=time)
    work.put({"src/other.txt": b"", "python": b"", "new\nline é": b""})
    found = await work("glob", pattern="**/*.{py,js}", path=work.folder)
    assert found.output.split("\n") == [f"{work.folder}/{name}" for name in ages]
    assert found.metadata == {"count": 4, "truncated": False}
    assert (await work("glob", pattern="*line *", path=work.folder)).output == f"{work.folder}/new\nline é"
    assert (await work("glob", pattern="*.rs", path=work.folder)).output == "No files found"


async def grep(work: Work) -> None:
    """Lines by a regular expression with alternatives, classes and bounds, in a folder, in files of one kind, and in a
    single file; line numbers, characters beyond ASCII, bytes that are not UTF-8."""
    work.put(
        {
            "a.py": b"import os\n\ndef main_1():\n    return 'caf\xc3\xa9'\n",
            "sub/b.py": b"class Needle:\n    def needle22(self): pass\n",
            "sub/notes.txt": b"needle7 in prose\r\ncaf\xe9 needle8\n",
            "binary": b"\0needle9\n",
        }
    )
    found = await work("grep", pattern=r"^(def|class)\s+\w+|needle\d{2}\b", path=work.folder, include="*.py")
    assert found.metadata == {"matches": 3, "truncated": False}, found.output
    assert "  Line 3: def main_1():" in found.output
    assert "  Line 1: class Needle:" in found.output and "  Line 2:     def needle22(self): pass" in found.output
    assert "notes.txt" not in found.output and "binary" not in found.output
    prose = await work("grep", pattern="needle[78]", path=f"{work.folder}/sub/notes.txt")
    assert prose.metadata["matches"] == 2
    assert "  Line 1: needle7 in prose" in prose.output
    assert "  Line 2: caf� needle8" in prose.to_json()["output"]
    accent = await work("grep", pattern="caf\u00e9'$", path=work.folder)
    assert accent.metadata["matches"] == 1 and "Line 4:     return 'café'" in accent.output, accent.output
    assert (await work("grep", pattern="no such thing", path=work.folder)).output == "No files found"


async def read(work: Work) -> None:
    """A file with a byte order mark and CRLF, lines from the middle of a 3 MB file, through a symlink, a folder; a
    binary file and a missing one are refused, the latter naming what is alike."""
    work.put(
        {
            "crlf.txt": b"\xef\xbb\xbfone\r\nzw\xc3\xb6lf\r\n",
            "large.txt": b"".join(b"line %d %s\n" % (n, b"x" * 40) for n in range(1, 60_001)),
            "dir/settings.json": b"{}",
            "dir/.hidden": b"",
            "nul": b"a\0b",
        }
    )
    work.truth.link(f"{work.folder}/dir/link", "../crlf.txt")
    whole = await work("read", filePath=f"{work.folder}/crlf.txt")
    assert "\n1: one\n2: zwölf\n" in whole.output
    assert "\n1: one\n" in (await work("read", filePath=f"{work.folder}/dir/link")).output
    page = await work("read", filePath=f"{work.folder}/large.txt", offset=30_000, limit=2)
    x = "x" * 40
    assert f"\n30000: line 30000 {x}\n30001: line 30001 {x}\n\n(Showing lines 30000-30001 of 60000." in page.output
    entries = (await work("read", filePath=f"{work.folder}/dir")).output
    assert "<entries>\n.hidden\nlink\nsettings.json\n\n(3 entries)\n</entries>" in entries
    with pytest.raises(ToolError, match="Cannot read binary file"):
        await work("read", filePath=f"{work.folder}/nul")
    with pytest.raises(FileMissingError, match=r"Did you mean one of these\?\n.*/dir/settings\.json"):
        await work("read", filePath=f"{work.folder}/dir/Settings.js")
