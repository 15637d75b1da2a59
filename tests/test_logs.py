"""Logs: no secret in any form, private files, bounded, never the reason something fails (law 6)."""

from __future__ import annotations

import base64
import json
import logging
import os
import shlex
import stat
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybridge import logs
from pybridge.logs import Redactor, RotatingFile
from pybridge.settings import Secret

pytestmark = pytest.mark.unit

PASSWORD = "corréct 'hörse' \"b$tt+ry/"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(logs, "_REDACTOR", Redactor())
    path = logs.configure("debug", [Secret(PASSWORD)], folder=tmp_path / "logs")
    assert path is not None
    yield path
    for name in ("pybridge", "asyncssh"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.NOTSET)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)


def redactor(*secrets: str) -> Redactor:
    made = Redactor()
    for secret in secrets:
        made.register(secret)
    return made


@pytest.mark.parametrize(
    "form",
    [
        PASSWORD,
        shlex.quote(PASSWORD),
        PASSWORD.replace("'", "'\\''"),
        shlex.quote("echo " + shlex.quote(PASSWORD))[6:-1],
        urllib.parse.quote(PASSWORD),
        urllib.parse.quote(PASSWORD, safe=""),
        urllib.parse.quote_plus(PASSWORD),
        base64.b64encode(PASSWORD.encode()).decode(),
        base64.urlsafe_b64encode(PASSWORD.encode()).decode(),
        json.dumps(PASSWORD),
        repr(PASSWORD),
        repr(PASSWORD.encode()),
        PASSWORD.encode().hex(),
    ],
)
def test_every_usual_form_of_a_secret_is_hidden(form: str) -> None:
    text = redactor(PASSWORD).redact(f"before {form} after")
    assert logs.MASK in text and "hörse" not in text and "rse" not in text.replace("after", "")
    assert text.startswith("before ") and text.endswith(" after")


@given(secret=st.text(min_size=6, max_size=30), before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_base64_of_something_longer_hides_what_is_the_secrets_alone(secret: str, before: bytes, after: bytes) -> None:
    encoded = base64.b64encode(before + secret.encode() + after).decode()
    text = redactor(secret).redact(encoded)
    first, last = -(-len(before) * 8 // 6), (len(before) + len(secret.encode())) * 8 // 6
    assert encoded[first:last] not in text


def test_a_short_secret_is_hidden_as_a_word_only() -> None:
    assert redactor("ab").redact("ab cab (ab) ab9 'ab'") == "*** cab (***) ab9 '***'"


def test_a_secret_within_another_leaves_nothing_of_the_longer() -> None:
    assert redactor("hunter2", "hunter2-and-more").redact("x hunter2-and-more y hunter2 z") == "x *** y *** z"


def test_no_secret_leaves_a_text_as_it_is() -> None:
    assert redactor("", "unused").redact("text with ssh://user@host/") == "text with ssh://user@host/"


def test_what_is_a_secret_by_its_look_is_hidden_unregistered() -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\nBBBB\n-----END OPENSSH PRIVATE KEY-----"
    assert redactor().redact(f"a {key} b") == "a *** b"
    assert redactor().redact(f"cut {key[:40]}") == "cut ***"
    assert redactor().redact("ssh://me:hunter2@host:22/x") == "ssh://me:***@host:22/x"


def test_messages_arguments_exceptions_and_stacks_are_redacted(log: Path) -> None:
    logger = logging.getLogger("pybridge.somewhere")
    logger.info("message %s", PASSWORD)
    logger.info("mapping %(a)r", {"a": [PASSWORD]})
    try:
        raise ValueError(f"cause {PASSWORD}")
    except ValueError as cause:
        try:
            raise RuntimeError(PASSWORD) from cause
        except RuntimeError:
            logger.exception("failed", stack_info=True)
    text = log.read_text("utf-8")
    assert text.count(logs.MASK) >= 4 and "hörse" not in text and "h\\xf6rse" not in text
    assert "ValueError: cause ***" in text


def test_a_malformed_log_call_shows_nothing_on_stderr(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = next(h for h in logging.getLogger("pybridge").handlers if isinstance(h, RotatingFile))
    handler.handle(logging.LogRecord("pybridge", logging.INFO, "f", 7, "two %s %s", (PASSWORD,), None))
    assert "malformed" in log.read_text("utf-8") and "hörse" not in log.read_text("utf-8")
    assert capsys.readouterr() == ("", "")


def test_levels(log: Path) -> None:
    logs.configure("warning", folder=log.parent)
    logging.getLogger("pybridge.x").info("not this")
    logging.getLogger("pybridge.x").warning("but this")
    assert "not this" not in log.read_text() and "but this" in log.read_text()


def test_asyncssh_names_commands_at_debug_level_only(log: Path) -> None:
    library = logging.getLogger("asyncssh")
    library.info("Command: seen at debug")
    logs.configure("info", folder=log.parent)
    library.info("Command: not seen at info")
    assert "seen at debug" in log.read_text() and "not seen" not in log.read_text()


def test_configuring_again_does_not_double_the_lines(log: Path) -> None:
    logs.configure("info", folder=log.parent)
    logging.getLogger("pybridge").info("once")
    assert log.read_text().count("once") == 1


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX's")
def test_the_file_and_its_folder_are_private(log: Path) -> None:
    logging.getLogger("pybridge").info("x")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600 and stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_the_file_rotates_and_only_so_many_are_kept(tmp_path: Path) -> None:
    handler = RotatingFile(tmp_path / "l", max_bytes=100, keep=2)
    for number in range(40):
        handler.emit(logging.LogRecord("n", logging.INFO, "f", 1, "line %d of twenty", (number,), None))
    assert (
        sorted(p.name for p in tmp_path.glob("l*") if p.suffix != ".lock") == ["l", "l.1", "l.2"]
        or not (tmp_path / "l").exists()
    )
    assert all((tmp_path / n).stat().st_size < 200 for n in ("l.1", "l.2"))
    newest = (tmp_path / "l.1").read_text() + ((tmp_path / "l").read_text() if (tmp_path / "l").exists() else "")
    assert "line 39" in newest


def test_several_processes_share_one_file_and_lose_no_line(tmp_path: Path) -> None:
    program = (
        "import sys, logging; from pathlib import Path; from pybridge.logs import RotatingFile\n"
        "h = RotatingFile(Path(sys.argv[1]), max_bytes=300, keep=50)\n"
        "for n in range(300): h.emit(logging.LogRecord('n', 20, 'f', 1, f'{sys.argv[2]}-{n}.', (), None))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "l"), str(n)]) for n in range(2)]
    assert [w.wait() for w in writers] == [0, 0]
    text = "".join(p.read_text() for p in tmp_path.glob("l*"))
    assert sorted(text.split()) == sorted(f"{w}-{n}." for w in range(2) for n in range(300))
    assert len(list(tmp_path.glob("l.*"))) > 1


def test_a_folder_that_cannot_be_used_means_no_log_and_no_failure(log: Path) -> None:
    (log.parent / "file").write_text("")
    assert logs.configure("info", folder=log.parent / "file" / "logs") is None
    logging.getLogger("pybridge").warning("nowhere")


def test_a_log_folder_that_vanishes_fails_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = RotatingFile(tmp_path / "gone" / "l")
    handler.emit(logging.LogRecord("n", logging.INFO, "f", 1, "x", (), None))
    assert capsys.readouterr() == ("", "")


def test_tail_is_the_redacted_end(log: Path) -> None:
    log.write_text("\n".join(f"line {n}" for n in range(100)) + f"\nleft by someone: {PASSWORD}\n")
    assert logs.tail(log, 3) == "line 98\nline 99\nleft by someone: ***"
    assert logs.tail(log.parent / "none") == ""
