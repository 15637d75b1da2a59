"""What a remote answers to a change, and the records of changes when the local disk has damaged them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pybridge.errors import FileError
from pybridge.host.applying import Step, conflicts, failure
from pybridge.host.control_shell import ShellIdentity
from pybridge.host.framing import Reply
from pybridge.host.model import ABSENT, Change
from pybridge.host.recovery import unfinished
from pybridge.mirror.temporaries import TemporaryRecords
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.spoiling import spoiled

pytestmark = pytest.mark.unit

CHANGE = Change("/w/f", ABSENT, b"x")
STEPS = [Step(CHANGE, "/w/f", 0o644, "/w/.pybridge-1", "/tmp/.pybridge-1", ABSENT, 0o022)] * 2
ANSWERS = (b"done\n", b"conflict 0 1\n", b"error 1 verify\n", b"left 0\n", b"conflict -1 7 x\n", b"error 99 stage\n")


def test_the_answer_to_a_change_is_read_or_refused(request: pytest.FixtureRequest) -> None:
    def check(value: bytes) -> None:
        try:
            assert all(step in STEPS for step in conflicts(Reply(value, value, 0), STEPS))
        except FileError as error:
            assert len(str(error)) < 100_000

    fuzz(request, "answers to a change", spoiled(*ANSWERS), check, 400)


def test_what_a_remote_says_of_a_failure_commands_no_terminal() -> None:
    assert "\x1b" not in str(failure(STEPS[0], "stage", "\x1b]0;owned\x07no\n"))


DAMAGES: list[tuple[str, Any]] = [
    ("temporaries", "/etc"), ("temporaries", ["/etc/passwd"]), ("temporaries", ["a\0b"]), ("temporaries", [7]),
    ("target", "a\0b"), ("target", 7), ("top", "relative"), ("old_digest", "x\0"), ("pid", 1e999), ("pid", -1),
    ("started", "\0"), ("boot_id", "\0"), ("pid", "7"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), DAMAGES)
def test_a_damaged_record_names_nothing_that_was_not_recorded(tmp_path: Path, key: str, value: Any) -> None:
    records = TemporaryRecords(tmp_path, "host")
    records.begin(unfinished(STEPS, ShellIdentity(7, "1", "b")))
    (file,) = tmp_path.rglob("*.json")
    data = json.loads(file.read_bytes())
    for part in [data["request"]["owner"], *data["request"]["leftovers"]]:
        if key in part:
            part[key] = value
    file.write_text(json.dumps(data).replace("Infinity", "1e999"))
    assert records.pending() == []


def test_a_record_of_a_strange_name_is_none(tmp_path: Path) -> None:
    records = TemporaryRecords(tmp_path, "host")
    records.begin(unfinished(STEPS, ShellIdentity(7, "1", "b")))
    (file,) = tmp_path.rglob("*.json")
    file.rename(file.with_name("request-$(echo owned).json"))
    assert records.pending() == []
