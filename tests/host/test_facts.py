"""The probe: on the shells at hand, and its parser on answers no remote should give."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybridge.errors import ProbeError
from pybridge.host.facts import parse_probe, probe_script, script
from pybridge.host.place import parse_place, place_script
from pybridge.host.shells import PRELUDE
from tests.kit.counterparts import need

pytestmark = pytest.mark.unit

SHELLS = [("dash",), ("bash", "--posix"), ("busybox", "ash")]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_the_probe_runs_silently_in(shell: tuple[str, ...]) -> None:
    program = need(shell[0])
    text = "\n".join([*(script(name) for name in PRELUDE), probe_script()])
    done = subprocess.run([program, *shell[1:]], input=text.encode(), capture_output=True, check=True)
    assert done.stderr == b""
    facts = parse_probe(done.stdout)
    assert facts.digest == "sha256sum"
    assert facts.decoder == "base64 -d"
    assert facts.stat == "gnu"
    assert facts.home.startswith("/")
    assert facts.own_printf
    assert facts.find_printf == (shell[0] != "busybox")
    assert facts.cp_gnu == (shell[0] != "busybox")


def test_a_remote_with_nothing_but_cksum_is_workable() -> None:
    facts = parse_probe(b"digest=cksum\nhome=/h\0\n")
    assert (facts.algorithm, facts.decoder, facts.stat, facts.rg, facts.leads) == ("cksum", "pb_octal", "", None, False)


def test_a_remote_without_any_checksum_is_refused_by_name() -> None:
    with pytest.raises(ProbeError, match="checksum"):
        parse_probe(b"system=Linux\n")


@given(st.binary(max_size=300))
def test_any_answer_is_facts_or_a_probe_error(answer: bytes) -> None:
    try:
        facts = parse_probe(answer + b"\ndigest=$(reboot)\ndecoder=rm -rf /\nstat=;id\n")
    except ProbeError:
        return
    assert facts.digest in ("sha256sum", "shasum", "openssl", "md5sum", "md5", "cksum")
    assert facts.decoder in ("base64 -d", "base64 -D", "openssl base64 -d", "pb_octal")
    assert facts.stat in ("", "gnu", "bsd")


def test_a_home_with_a_newline_is_kept_whole() -> None:
    assert parse_probe(b"digest=cksum\nhome=/a\nb\0\n").home == "/a\nb"


def test_a_remote_without_HOME_has_a_home_and_a_place_to_work() -> None:
    text = probe_script() + "\nprintf '\\nextra\\000'\n" + place_script(None)
    done = subprocess.run([need("sh")], input=text.encode(), capture_output=True, check=True, env={"PATH": os.defpath})
    found, _, place = done.stdout.partition(b"\nextra\0")
    facts = parse_probe(b"\n" + found)
    assert (facts.home, parse_place(place, facts, None).state) == ("/", "ok")


def test_a_scratch_folder_is_an_absolute_one() -> None:
    environment = {"PATH": os.defpath, "TMPDIR": "."}
    done = subprocess.run(
        [need("sh")], input=probe_script().encode(), capture_output=True, check=True, env=environment, cwd="/"
    )
    assert parse_probe(b"\n" + done.stdout).scratch == "/tmp"
