"""Checksums computed here are those the programs on a remote print."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybridge.host.checksums import posix_cksum, version_of
from tests.kit.counterparts import need

pytestmark = pytest.mark.unit


@settings(max_examples=20)
@given(st.binary(max_size=5000))
def test_cksum_is_the_one_of_posix(content: bytes) -> None:
    printed = subprocess.run([need("cksum")], input=content, capture_output=True, check=True).stdout.split()
    assert printed == [str(posix_cksum(content)).encode(), str(len(content)).encode()]


@pytest.mark.parametrize(("algorithm", "program"), [("sha256", "sha256sum"), ("md5", "md5sum")])
def test_digests_are_those_of_the_programs(algorithm: str, program: str) -> None:
    content = b"x\0y\xff" * 1000
    printed = subprocess.run([need(program)], input=content, capture_output=True, check=True).stdout.split()[0]
    assert version_of(content, algorithm).digest == f"{algorithm}:{printed.decode()}"
    assert version_of(content, algorithm).size == 4000
