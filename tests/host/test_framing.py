"""The framed protocol: what is sent, and what is believed of the answer."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybridge.errors import ProtocolError
from pybridge.host.framing import ReplyReader, decode_text, encode_request, encode_text, new_marker, quote
from pybridge.transport.process import Stream

pytestmark = pytest.mark.unit


def read_reply(marker: str, pieces: list[tuple[Stream, bytes]], limit: int = 1 << 20) -> tuple[bytes, bytes, int]:
    reader = ReplyReader(marker, limit)
    done = [reader.feed(*piece) for piece in pieces]
    assert done[-1] and not any(done[:-1])
    reply = reader.reply()
    return reply.stdout, reply.stderr, reply.status


@given(st.binary(max_size=200), st.binary(max_size=50), st.integers(0, 255), st.data())
def test_a_reply_survives_any_cutting(out: bytes, err: bytes, status: int, data: st.DataObject) -> None:
    marker = new_marker()
    stdout = out + f"\n{marker} {status}\n".encode()
    stderr = err + f"\n{marker}\n".encode()
    cut = data.draw(st.integers(0, len(stdout)))
    pieces = [(Stream.STDERR, stderr), (Stream.STDOUT, stdout[:cut]), (Stream.STDOUT, stdout[cut:])]
    if cut == len(stdout):
        pieces.pop()
    assert read_reply(marker, pieces) == (out, err, status)


def test_a_forged_marker_of_another_request_is_output() -> None:
    marker, other = new_marker(), new_marker()
    out = f"\n{other} 0\n".encode()
    assert read_reply(
        marker, [(Stream.STDOUT, out + f"\n{marker} 3\n".encode()), (Stream.STDERR, f"\n{marker}\n".encode())]
    ) == (out, b"", 3)


def test_a_frame_without_a_status_is_refused() -> None:
    marker = new_marker()
    with pytest.raises(ProtocolError):
        ReplyReader(marker, 1000).feed(Stream.STDOUT, f"\n{marker} what\n".encode())


def test_a_reply_over_its_limit_is_refused() -> None:
    with pytest.raises(ProtocolError):
        ReplyReader(new_marker(), 1000).feed(Stream.STDOUT, b"x" * 1001)


@pytest.mark.parametrize("text", ["", "plain", "it's", "$(id)", "`id`", "a\nb", "-n", "\\", "\udcff\udc80", "*?[", '"'])
def test_quote_is_one_word_for_a_real_shell(text: str) -> None:
    script = encode_text(f"printf '%s' {quote(text)}")
    assert decode_text(subprocess.run(["sh"], input=script, capture_output=True, check=True).stdout) == text


def test_quote_refuses_nul() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")


def test_a_request_cannot_swallow_the_next_one() -> None:
    first, second = new_marker(), new_marker()
    sent = encode_request("cat; x=1; exit 4", first) + encode_request('printf "%s" "${x-unset}"', second)
    stdout = subprocess.run(["sh"], input=sent, capture_output=True, check=True).stdout
    assert stdout == f"\n{first} 4\nunset\n{second} 0\n".encode()
