"""What ripgrep, grep, find and awk on a remote may print, or what pretends to be them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest
from hypothesis import strategies as st

from pybridge.errors import RemoteError
from pybridge.host.facts import parse_probe
from pybridge.host.model import GlobResult, GrepResult
from pybridge.host.search.search import Search
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.spoiling import spoiled
from tests.fuzz.test_host_answers_fuzz import PROBE

pytestmark = pytest.mark.unit

FACTS = parse_probe(PROBE)
HOSTS = {
    "ripgrep": FACTS,
    "GNU find": replace(FACTS, rg=None),
    "BSD stat": replace(FACTS, rg=None, stat="bsd", stat_gnu=False, find_printf=False, grep_gnu=False),
    "busybox": replace(FACTS, rg=None, stat="gnu", stat_gnu=False, find_printf=False, grep_gnu=False),
    "ls alone": replace(FACTS, rg=None, stat="", stat_gnu=False, find_printf=False, grep_gnu=False),
}
LIMIT = 20

RECORD = (
    b'{"type":"match","data":{"path":{"text":"./a.py"},"lines":{"text":"x = 1\\n"},"line_number":3,'
    b'"absolute_offset":0,"submatches":[]}}\n'
)
OUTPUTS = (
    RECORD * 3,
    b'{"type":"match","data":{"path":{"bytes":"Lv9h"},"lines":{"bytes":"/wo="},"line_number":1}}\n',
    b'{"type":"match","data":[]}\n{"type":[],"data":{"line_number":{}}}\n',
    b'{"type":"match","data":{"path":{"text":7},"lines":"x","line_number":"9"}}\n',
    b'12 {"type":"match","data":{"path":{"text":"./a"},"lines":{"text":"abc\\u00e9\\ud83d\\n',
    b'7 {"type":"match","data":{"path":{"bytes":"Lv9h"},"lines":{"bytes":"AAAA\n',
    b"\0\0./a.py\0003:x = 1\n\0./b\0" + b"9" * 5000 + b":y\n./c\0notanumber:z\n",
    b"\0%M%./a.py\0003:x\n4:y\r\n\0%M%./b\n/c\00012:z\n",
    b"1700000000.5 ./a b\n1699999999.0 ./c%0Ad%25\nnan ./../../e\n0 ./f\0g\n",
    b"\0%M%root\0/w\n.\0%M%git\0./\0\0%M%rules\0./.gitignore\0*.o\n!keep.o\n[z-a]\n{a,{b\n\0%M%everywhere\0/e\0x\n",
    b"\0%M%rules\0./other\0a\n\0%M%git\n\0%M%exclude\0/w/\0" + b"**/" * 500 + b"\n",
)
ERRORS = (b"", b"%M%code 2\nrg: bad \x1b[31mpattern\n", b"%M%refused missing\n", b"%M%refused pattern\n\x1b]0;x\x07\n")


@dataclass(frozen=True)
class _Output:
    stdout: bytes
    stderr: bytes
    code: int | None = 0
    truncated: bool = False


class _Hostile:
    """Answers every script with the same bytes, `%M%` being that script's marker: it was sent along."""

    def __init__(self, stdout: bytes, stderr: bytes) -> None:
        self._output = stdout, stderr

    async def __call__(self, script: str, *, abort: asyncio.Event | None, max_bytes: int) -> _Output:
        marker = script.partition("M=")[2].partition("\n")[0].strip("'").encode()
        stdout, stderr = (stream.replace(b"%M%", marker)[:max_bytes] for stream in self._output)
        return _Output(stdout, stderr)


@pytest.mark.parametrize("kind", HOSTS)
def test_a_search_ends_in_a_result_or_a_typed_error(request: pytest.FixtureRequest, kind: str) -> None:
    def check(value: tuple[bytes, bytes]) -> None:
        asyncio.run(_search(_Hostile(*value), kind))

    inputs = st.tuples(spoiled(*OUTPUTS), st.one_of(st.sampled_from(ERRORS), spoiled(*ERRORS)))
    fuzz(request, f"search results: {kind}", inputs, check, 200)


async def _search(hostile: _Hostile, kind: str) -> None:
    search = Search(hostile, HOSTS[kind])
    try:
        _sane(await search.glob("*.py", "/w", limit=LIMIT))
    except RemoteError as error:
        _presentable(str(error))
    try:
        _sane(await search.grep("x", "/w", include="*.py", limit=LIMIT))
    except RemoteError as error:
        _presentable(str(error))


def _sane(found: GlobResult | GrepResult) -> None:
    if isinstance(found, GlobResult):
        assert len(found.paths) <= LIMIT
        assert all(path.startswith("/") for path in found.paths)
        return
    assert len(found.matches) <= LIMIT
    for match in found.matches:
        assert isinstance(match.path, str) and match.path.startswith("/")
        assert isinstance(match.text, str)
        assert isinstance(match.line, int) and not isinstance(match.line, bool) and 0 <= match.line < 2**63


def _presentable(message: str) -> None:
    assert "\x1b" not in message and "\x07" not in message
