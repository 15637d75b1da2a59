"""Inputs that were right once: valid ones, spoiled in the ways that break parsers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import strategies as st

PIECES: tuple[bytes, ...] = (
    b"", b"\0", b"\n", b"\r\n", b"\r", b" ", b"\t", b"\0\0", b"\n\n", b"\n\0", b"\xff", b"\xfe\xff", b"\xc0\x80",
    b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xef\xbb\xbf", "٣".encode(), "²".encode(), b"\x0b", b"\x0c", b"\x1c", b"\x85",
    b"\x1b[2J\x1b]0;x\x07", b"0", b"-1", b"-0", b"+5", b"1_0", b"08", b"1e999", b"NaN", b"Infinity", b"-Infinity",
    b"99999999999999999999", b"9" * 400, b"9" * 5000, b"0x7fffffffffffffff", b"18446744073709551616", b"null", b"true",
    b"[" * 3000, b'{"a":' * 3000, b"]" * 50, b"{}", b"[]", b'"', b"'", b"\\", b"\\ud800", b"%s%n", b"$(x)", b"`", b"*",
    b"*a" * 30, b"?", b"!", b"..", b"../" * 40, b"/", b"//", b"/etc/passwd", b"~", b"~nobody-at-all/x", b"${X}", b"%h",
    b"#", b"=", b":", b"|", b"@", b"@@ -1,1 +1,1 @@", b"-- ", b"--- a\n+++ b\n", b"*** End Patch", b"x" * 70_000,
    b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1", b"\x80" * 9, b"\x30\x80" * 400,
)  # fmt: skip
"""What is put in: ends of lines, half characters, numbers too large, nesting too deep, lines too long, quotes."""

_Spoil = tuple[str, int, int, bytes]
_KINDS = ("cut", "drop", "double", "insert", "flip", "replace", "swap", "repeat")


def spoils(*, most: int = 4) -> st.SearchStrategy[list[_Spoil]]:
    """What is done to an input, up to `most` times."""
    pieces = st.one_of(st.sampled_from(PIECES), st.binary(max_size=6))
    place = st.integers(0, 2**16 - 1)
    return st.lists(st.tuples(st.sampled_from(_KINDS), place, place, pieces), max_size=most)


def spoil(data: bytes, steps: Sequence[_Spoil]) -> bytes:
    """`data` after all of `steps`."""
    for kind, here, there, piece in steps:
        first, last = sorted((here * (len(data) + 1) >> 16, there * (len(data) + 1) >> 16))
        match kind:
            case "cut":
                data = data[:last]
            case "drop":
                data = data[:first] + data[last:]
            case "double":
                data = data[:last] + data[first:]
            case "insert":
                data = data[:first] + piece + data[first:]
            case "flip" if first < len(data):
                data = data[:first] + bytes([data[first] ^ (1 << there % 8)]) + data[first + 1 :]
            case "replace":
                data = data[:first] + piece + data[first + max(1, len(piece)) :]
            case "swap":
                data = data[last:] + data[first:last] + data[:first]
            case "repeat":
                data = data[:first] + data[first : first + 40] * 20 + data[first:]
    return data


def spoiled(*valid: bytes, most: int = 4) -> st.SearchStrategy[bytes]:
    """One of `valid`, spoiled up to `most` times, or left as it is; now and then any bytes at all."""
    wrong = st.builds(spoil, st.sampled_from(valid), spoils(most=most))
    return st.one_of(wrong, wrong, wrong, st.binary(max_size=200))


def spoiled_text(*valid: str, most: int = 4, errors: str = "surrogateescape") -> st.SearchStrategy[str]:
    """The same of text: what is no UTF-8 becomes lone surrogates, or what `errors` makes of it."""
    wrong = spoiled(*(text.encode("utf-8", "surrogatepass") for text in valid), most=most)
    return st.one_of(wrong.map(lambda data: data.decode("utf-8", errors)), st.text(max_size=200))


def cuts() -> st.SearchStrategy[list[int]]:
    """Where a stream is cut into the pieces it arrives in: see `pieces`."""
    return st.lists(st.integers(0, 2**16 - 1), max_size=12)


def pieces(data: bytes, places: Sequence[int]) -> list[bytes]:
    """`data` cut at `places`, each a fraction of its length in 65536ths; none of it is lost."""
    at = [0, *sorted(place * (len(data) + 1) >> 16 for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(at)]
