"""What a remote may answer: each reader gives a sane value or a typed error, however the bytes are spoiled or cut."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import strategies as st

from pybridge.errors import PatchError, RemoteError
from pybridge.host import login_environment
from pybridge.host.facts import Facts, parse_probe
from pybridge.host.fetching import parse_fetched, parse_list
from pybridge.host.framing import ReplyReader, encode_text, quote
from pybridge.host.login_shell import LoginNoise, shown
from pybridge.host.marked_output import MarkedOutput
from pybridge.host.model import Command, Fetch, FileVersion, Lines
from pybridge.host.place import parse_place
from pybridge.host.shell_carrier import ShellCarrier
from pybridge.host.slicing import parse_slice
from pybridge.mirror.content_store import ContentStore
from pybridge.mirror.path_mapper import PathMapper
from pybridge.transport.process import Stream
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.spoiling import cuts, pieces, spoiled

pytestmark = pytest.mark.unit

MARKER = "0123456789abcdef0123456789abcdef"
M = MARKER.encode()
CONTENT = b"hello\n"
PROBE = (
    b"\nsystem=Linux 6.1 x86_64\nuser=me\nuid=1000\numask=0022\nshell=/bin/bash\ntools=git awk xargs \nrg=/usr/bin/rg\n"
    b"leads=1\nstat=gnu\nstat_gnu=1\ndigest=sha256sum\ndecoder=base64 -d\nreadlink_f=1\nhead_c=1\nfind_printf=1\n"
    b"own_printf=1\ngrep_gnu=1\ncp_gnu=1\nnow=1700000000\nhome=/home/me\0\nscratch=/tmp\0"
)
FACTS = parse_probe(PROBE)


def typed(action: Callable[[], object]) -> object:
    """What it gives; None for a typed error, whose text can be sent. Anything else it raises is a defect."""
    try:
        return action()
    except RemoteError as error:
        assert not isinstance(error, PatchError)
        assert len(str(error)) < 10_000
        return None


def test_a_reply_is_the_same_however_it_is_cut(request: pytest.FixtureRequest) -> None:
    streams = spoiled(
        b"out\n" + M + b" 0\n", b"\n" + M + b" 127\nmore", b"a" * 90 + b"\n" + M + b" 99999999999\n", b"\n" + M + b"\n",
        b"\n" + M + b" 00000000000000000000000000000000000000000000001\n", b"\n" + M[:-1] + b"\n" + M + b" 1\n",
    )  # fmt: skip
    errors = spoiled(b"err\n" + M + b"\n", b"\n" + M + b" 1\n", b"e" * 200 + b"\n" + M + b"\n")

    def check(value: tuple[bytes, bytes, list[int], list[int]]) -> None:
        out, err, out_cuts, err_cuts = value
        whole = _reply([(Stream.STDERR, [err]), (Stream.STDOUT, [out])])
        assert _reply([(Stream.STDERR, pieces(err, err_cuts)), (Stream.STDOUT, pieces(out, out_cuts))]) == whole
        each = [bytes([byte]) for byte in out[:300]] + [out[300:]]
        assert _reply([(Stream.STDERR, [err]), (Stream.STDOUT, each)]) == whole

    fuzz(request, "frames of the control shell", st.tuples(streams, errors, cuts(), cuts()), check, 600)


def _reply(arrives: list[tuple[Stream, list[bytes]]]) -> object:
    reader = ReplyReader(MARKER, 1 << 20)
    try:
        for stream, data in arrives:
            for piece in data:
                if reader.feed(stream, piece):
                    return reader.reply()
    except RemoteError as error:
        return type(error)
    return None


def test_a_commands_output_is_the_same_however_it_is_cut(request: pytest.FixtureRequest) -> None:
    streams = spoiled(
        b"motd\n" + M + b" 4711 ok\nthe output", b"\n" + M + b" 1 missing\n", b"\n" + M + b" 99 noshell\n\0\xff",
        b"\n" + M + b" " + b"9" * 5000 + b" ok\nx",
    )  # fmt: skip

    def check(value: tuple[bytes, list[int]]) -> None:
        out, places = value
        whole = _marked([out])
        assert whole[1] is None or 0 < whole[1] < 2**63
        assert _marked(pieces(out, places)) == whole

    fuzz(request, "the beginning of a command's output", st.tuples(streams, cuts()), check, 600)


def _marked(arrives: list[bytes]) -> tuple[bytes, int | None, object]:
    got = bytearray()
    command = Command("true", "/w", on_output=lambda stream, data: got.extend(data))
    output = MarkedOutput(command, MARKER)
    for piece in arrives:
        output.feed(Stream.STDOUT, piece)
    output.end()
    try:
        output.check("sh")
    except RemoteError as error:
        return bytes(got), output.pid, type(error)
    return bytes(got), output.pid, None


def test_login_noise_is_the_same_however_it_is_cut(request: pytest.FixtureRequest) -> None:
    streams = spoiled(b"Welcome\r\n\x1b[1mhi\n" + M + b"\nthe reply", M + b"\n", b"x" * 5000 + M + b"\n" + M + b"\n")

    def check(value: tuple[bytes, list[int]]) -> None:
        out, places = value
        whole, cut = LoginNoise(MARKER), LoginNoise(MARKER)
        assert b"".join(cut.take(piece) for piece in pieces(out, places)) == whole.take(out)
        assert cut.head[:4096] == whole.head[:4096]
        told = shown(bytes(cut.head))
        assert len(told) < 1000 and all(c.isprintable() or c == "\n" for c in told)

    fuzz(request, "what a login prints before", st.tuples(streams, cuts()), check, 400)


def test_a_probe_gives_facts_that_can_be_used(request: pytest.FixtureRequest) -> None:
    def check(output: bytes) -> None:
        facts = typed(lambda: parse_probe(output))
        if not isinstance(facts, Facts):
            return
        assert 0 <= facts.umask <= 0o777 and -1 <= facts.uid < 2**64 and 0 <= facts.now < 2**63
        assert facts.home.startswith("/") and len(facts.home) <= 65536
        assert facts.scratch is None or facts.scratch.startswith("/")
        for text in (facts.home, facts.shell, facts.rg or "", facts.scratch or "", facts.settings):
            encode_text(quote(text))
        for text in (facts.user, facts.system):
            assert len(text) <= 300 and text.isprintable()
        encode_text("".join(login_environment.login_scripts(facts.shell, "true")))

    fuzz(request, "the probe", spoiled(PROBE), check, 1500)


def test_a_place_is_an_absolute_folder(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    outputs = spoiled(
        b"ok\0/home/me/work\0/home/me\0", b"missing\0/x\0\0", b"file\0/x\0\0", b"ok\0/\0/\0",
        b"ok\0../../etc\0..\0", b"ok\0/a/../../b\0/a\0", b"ok\0/home/me\0/elsewhere\0",
    )  # fmt: skip

    def check(output: bytes) -> None:
        place = typed(lambda: parse_place(output, FACTS, "~/work"))
        if place is None or place.state != "ok":  # type: ignore[union-attr]
            return
        for path in (place.workdir, place.worktree):  # type: ignore[union-attr]
            assert path.startswith("/") and ".." not in path.split("/") and "\0" not in path and len(path) <= 65536
        assert (place.workdir + "/").startswith(place.worktree.rstrip("/") + "/")  # type: ignore[union-attr]
        mapper = PathMapper(place.workdir, tmp_path)  # type: ignore[union-attr]
        assert mapper.to_local("x").is_relative_to(tmp_path)

    fuzz(request, "the folder worked in", outputs, check, 800)


FETCHES = [Fetch("/w/a", None, 1000, lines=Lines(1, 9)), Fetch("/w/b", FileVersion("sha256:" + "0" * 64, 3), 1000)]
STAT = b"6 644 1700000000.5 1000"
SLICED = b"12 7 ab01\0head\0" + M + b"\na\nb\n\0" + M + b"\n2\n"
HELLO = hashlib.sha256(CONTENT).hexdigest().encode()
FETCHED = tuple(
    first + b"\0" + M + b" 0\n" + second + b"\0" + M + b" 0\n" + contents + b"\0" + M + b" 0\n"
    for first, second, *rest in [
        (b"f\0/w/a\0" + STAT + b"\0y\0" + CONTENT, b"f\0/w/b\0" + STAT + b"\0u"),
        (b"d\0/w/a\0" + STAT + b"\0n", b"m\0/w/b\0\0\0one\0two\0"),
        (b"f\0../../../etc/passwd\0" + STAT + b"\0y\0" + CONTENT, b"m\0/w/b\0\0loop"),
        (b"f\0/w/a\0" + STAT + b"\0p\0" + SLICED, b"f\0/w/b\0" + STAT + b"\0p\0" + SLICED[:30]),
        (b"f\0/w/a\0" + b"9" * 30 + b" 7777777 1e400 -1\0y\0x", b"s\0/w/b\0-5 -rwxr-sr-t nan 0\0e"),
        (b"f\0/w/a\0" + STAT + b"\0g\0" + HELLO, b"f\0/w/b\0" + STAT + b"\0g\0" + b"0" * 64, CONTENT * 2),
        (b"f\0/w/a\0" + b"2000 644 1 1\0g\0" + HELLO, b"d\0/w/b\0" + STAT + b"\0g\0" + HELLO, CONTENT),
    ]
    for contents in rest or [b""]
)


def test_fetched_files_are_what_was_asked_for(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "mirror", "host", "/w")

    def check(output: bytes) -> None:
        for together in (True, False):
            check_one(output, together=together)

    def check_one(output: bytes, *, together: bool) -> None:
        found = typed(lambda: parse_fetched(output, FETCHES, FACTS, MARKER, together=together))
        if found is None:
            return
        assert [file and file.path for file in found] in (  # type: ignore[union-attr]
            [["/w/a", "/w/b"], [None, "/w/b"], ["/w/a", None], [None, None]] if together else [["/w/a", "/w/b"]]
        )
        for file in filter(None, found):  # type: ignore[arg-type]
            assert store.mapper.to_local(file.real).is_relative_to(tmp_path / "mirror")
            if file.stat is not None:
                assert 0 <= file.stat.mode <= 0o7777 and 0 <= file.stat.size < 2**63
                assert abs(file.stat.mtime) < 2**63
            if file.piece is not None:
                assert file.content is None and file.piece.total_lines >= 0
            if file.content is not None:
                assert len(file.content) <= 1000 and file.version is not None
                assert store.put(file.real, file.version, file.content)
                assert store.get(file.real) == (file.version, file.content)

    fuzz(request, "fetched files", spoiled(*FETCHED), check, 500)
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["mirror"]


def test_lines_and_names_are_read(request: pytest.FixtureRequest) -> None:
    ending = b"\0" + M + b"\n"
    outputs = spoiled(b"12 7 ab01\0head" + ending + b"a\nb\n" + ending, b"0\0" + ending + ending, b"dsub\0ffile\0lx\0")

    def check(output: bytes) -> None:
        typed(lambda: parse_slice("/w/a", output, FACTS, MARKER))
        for status in (0, 2, 3, 4, 99999999999):
            typed(lambda status=status: parse_list(output, status, "/w"))

    fuzz(request, "slices and folders", outputs, check, 800)


def test_a_login_environment_holds_variables_only(request: pytest.FixtureRequest) -> None:
    exports = spoiled(
        b"export A='1'\nexport PATH='/bin'\ndeclare -x B=\"two\nlines\"\nexport C\nexport LC_ALL='C'\n",
        b"typeset -x D=1\nexport PS1='x'\n" * 3,
    )

    def check(output: bytes) -> None:
        kept = login_environment.only_variables(output.decode("utf-8", "surrogateescape"))
        assert not kept or kept.startswith("export ")
        assert len(kept) <= 2 * len(output) + 20

    fuzz(request, "the login environment", exports, check, 400)


class _Process:
    """A process that says what it is told to, `%M%` being the marker of the request it was started with."""

    exit_status = None

    def __init__(self, said: list[bytes]) -> None:
        self._said = said

    async def read(self) -> tuple[Stream, bytes] | None:
        return (Stream.STDOUT, self._said.pop(0)) if self._said else None

    async def wait_exit(self) -> None:
        return None

    def close(self) -> None:
        pass


class _Carrier:
    opening_is_delicate = False

    def __init__(self, said: bytes, places: list[int]) -> None:
        self._said, self._places = said, places

    async def start(self, command: str, *, stdin: bytes = b"", reconnect: bool = True) -> _Process:
        found = re.search(rb"([0-9a-f]{32}); command -v rg", stdin)
        assert found is not None
        marker = found[1]
        return _Process([piece for piece in pieces(self._said.replace(b"%M%", marker), self._places) if piece])


def test_a_capture_of_the_login_never_fails(request: pytest.FixtureRequest) -> None:
    said = spoiled(
        b"noise\n%M%\n/usr/bin/rg\n\n%M%\n0022\n\n%M%\nexport A='1'\n\n%M%\n",
        b"\n%M%\n\n%M%\n" + b"7" * 5000 + b"\n%M%\n\n%M%\n\n%M%\n", b"\n%M%\n%M%\n%M%\n%M%\n",
    )  # fmt: skip

    def check(value: tuple[bytes, list[int]]) -> None:
        output, places = value
        carrier = _Carrier(output, places)
        found = asyncio.run(login_environment.capture(ShellCarrier(carrier), "/bin/sh"))  # type: ignore[arg-type]
        assert found.umask is None or 0 <= found.umask <= 0o7777
        with_login = FACTS.with_login(rg=found.rg, umask=found.umask)
        encode_text(quote(with_login.rg or ""))
        encode_text(found.exports)

    fuzz(request, "the capture of the login", st.tuples(said, cuts()), check, 300)


def test_a_version_that_is_no_digest_is_not_sent() -> None:
    from pybridge.host.fetching import fetch_script

    bad = replace(FETCHES[1], held=FileVersion("sha256:'; touch /tmp/x; '", 3))
    assert "touch" not in fetch_script([bad], FACTS, MARKER)
