"""CanonicalizeHostname and what belongs to it. The names are of a table, as no resolver has the same everywhere."""

from __future__ import annotations

import socket

import pytest

from pybridge.errors import UnknownHostError
from pybridge.transport.ssh_canonical import Rules, canonical_address, canonical_name, lookup_name

pytestmark = pytest.mark.unit

NAMES = {"box.a.example.": "", "web.b.example.": "host7.c.example", "full.": "", "plain": "real.c.example"}
YES = Rules(mode="yes", domains=("a.example", "b.example"))


@pytest.mark.parametrize(
    ("host", "rules", "direct", "expected"),
    [
        ("box", Rules(domains=("a.example",)), True, "box"),
        ("box", YES, True, "box.a.example"),
        ("web", YES, True, "web.b.example"),
        ("box", YES, False, "box"),
        ("box", Rules(mode="always", domains=("a.example",)), False, "box.a.example"),
        ("nowhere", YES, True, "nowhere"),
        ("a.b.c", YES, True, "a.b.c"),
        ("full.", YES, True, "full"),
        ("box", Rules(mode="yes", domains=("none", "a.example")), True, "box"),
        (
            "web",
            Rules(mode="yes", domains=("b.example",), cnames=(("*.b.example", "*.c.example"),)),
            True,
            "host7.c.example",
        ),
        (
            "web",
            Rules(mode="yes", domains=("b.example",), cnames=(("*.b.example", "*.d.example"),)),
            True,
            "web.b.example",
        ),
        ("plain", Rules(mode="yes", max_dots=0, cnames=(("plain", "*.c.example"),)), True, "real.c.example"),
    ],
)
def test_names(host: str, rules: Rules, direct: bool, expected: str) -> None:
    assert canonical_name(host, rules, direct=direct, lookup=NAMES.get) == expected


def test_more_dots_than_allowed() -> None:
    names = {"x.y.a.example.": ""}
    assert canonical_name("x.y", YES, direct=True, lookup=names.get) == "x.y.a.example"
    rules = Rules(mode="yes", domains=YES.domains, max_dots=0)
    assert canonical_name("x.y", rules, direct=True, lookup=names.get) == "x.y"


def test_no_fallback() -> None:
    with pytest.raises(UnknownHostError, match="CanonicalDomains"):
        canonical_name(
            "nowhere", Rules(mode="yes", domains=("a.example",), fallback=False), direct=True, lookup=NAMES.get
        )


def test_addresses_and_the_resolver() -> None:
    assert canonical_address("127.1", socket.AF_UNSPEC) == "127.0.0.1"
    assert canonical_address("0::0001", socket.AF_UNSPEC) == "::1"
    assert canonical_address("localhost", socket.AF_UNSPEC) is None
    assert lookup_name(socket.AF_UNSPEC)("localhost") is not None
    assert lookup_name(socket.AF_UNSPEC)("no-such-host.invalid") is None
