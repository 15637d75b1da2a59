from __future__ import annotations

from typing import Any

import pytest

from pybridge.editing.binary import HEAD_BYTES, has_binary_extension, is_binary, looks_binary
from tests.editing.recorded import recorded

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("case", recorded("binary"))
def test_binary_is_what_the_built_in_takes_for_it(case: dict[str, Any]) -> None:
    assert is_binary(case["name"], bytes(case["head"])) is case["want"]


def test_only_the_head_counts() -> None:
    assert not looks_binary(b"a" * HEAD_BYTES + b"\0")
    assert looks_binary(b"a" * (HEAD_BYTES - 1) + b"\0")


def test_exactly_three_tenths_are_text() -> None:
    assert not looks_binary(b"\x01" * 3 + b"a" * 7)
    assert looks_binary(b"\x01" * 4 + b"a" * 9)


@pytest.mark.parametrize("extension", ["zip", "WASM", "o", "dat"])
def test_extensions(extension: str) -> None:
    assert has_binary_extension(f"/a.b/c.{extension}")
    assert not has_binary_extension(f"/a.{extension}/c")
    assert not has_binary_extension(f"/a/.{extension}")
