"""Which files of one request are fetched together (scripts/fetch_together.sh), and the contents that come of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pybridge.host.checksums import version_of
from pybridge.host.facts import Facts
from pybridge.host.framing import encode_text
from pybridge.host.model import Fetch

_MOST_FILES = 50
_MOST_BYTES = 32 * 1024
"""Of paths that one program is given: every system takes more."""

Numbers = tuple[int, ...]


def groups(requests: Sequence[Fetch], facts: Facts) -> Iterator[Numbers]:
    """The numbers of all requests in their order, those in one tuple that may be fetched together."""
    able = facts.stat == "gnu" and facts.digest in ("sha256sum", "md5sum")
    group: list[int] = []
    size = 0
    for number, request in enumerate(requests):
        length = len(encode_text(request.path))
        if group and (not able or len(group) == _MOST_FILES or size + length > _MOST_BYTES):
            yield tuple(group)
            group, size = [], 0
        group.append(number)
        size += length
    if group:
        yield tuple(group)


def may_be_named(request: Fetch) -> bool:
    """Whether programs show its path as it is."""
    return "\n" not in request.path and "\\" not in request.path


def divided(contents: bytes, expected: Sequence[tuple[int, str]], algorithm: str) -> list[bytes | None]:
    """Contents that came one after the other.

    Args:
        expected: size and digest of each.

    Returns:
        None for each that is not what was expected: the file changed in that very moment.
    """
    found: list[bytes | None] = []
    at = 0
    for size, digest in expected:
        content = contents[at : at + size]
        at += size
        is_it = len(content) == size and version_of(content, algorithm).digest == f"{algorithm}:{digest}"
        found.append(content if is_it else None)
    return found
