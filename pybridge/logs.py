"""A rotating log file that shows no secret.

What callers log: what happened, to which path, how long it took. File contents and command lines only at debug level.
Standard output is never written to: in the sidecar it belongs to the protocol.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import shlex
import threading
import urllib.parse
from collections.abc import Iterable
from pathlib import Path

from pybridge.errors import LocalStorageError, defused
from pybridge.locations import log_folder, private_folder
from pybridge.settings import Secret

LOG_NAME = "pybridge.log"
MASK = "***"

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
_FORMAT = "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s: %(message)s"
# Never worth showing, whoever put them there: private keys, and passwords in URLs.
_PRIVATE_KEY = re.compile(r"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL)
_URL_PASSWORD = re.compile(r"(?<=://)([^\s/@:]*):[^\s/@]+@")


class Redactor:
    """Replaces secrets, in every form in which they are likely to turn up, by `***`."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._short: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def register(self, secret: Secret | str) -> None:
        """From now on, hide this value and its quoted and encoded forms."""
        value = secret.reveal() if isinstance(secret, Secret) else secret
        if not value:
            return
        with self._lock:
            # Masking every "a" would make the log unreadable and give the secret away by its gaps.
            if len(value) < 4:
                self._short.add(value)
            else:
                self._forms.update(_forms(value))
            whole = [re.escape(form) for form in sorted(self._forms, key=lambda f: (-len(f), f))]
            words = [rf"(?<!\w){re.escape(form)}(?!\w)" for form in sorted(self._short, key=lambda f: (-len(f), f))]
            self._pattern = re.compile("|".join(whole + words))

    def redact(self, text: str) -> str:
        """The text without any registered secret, private key, or password in a URL."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        text = _PRIVATE_KEY.sub(MASK, text)
        return _URL_PASSWORD.sub(rf"\1:{MASK}@", text)


_REDACTOR = Redactor()


def register_secret(secret: Secret | str) -> None:
    """Hide a secret in everything `redact` and the log show from now on, for the life of the process."""
    _REDACTOR.register(secret)


def redact(text: str) -> str:
    """The text with every registered secret (also shell-quoted, URL-quoted, in base64) replaced by `***`."""
    return _REDACTOR.redact(text)


class RedactingFormatter(logging.Formatter):
    """Formats a record with its arguments, exception and stack, and redacts the whole."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            text = super().format(record)
        except Exception as error:  # a log call with wrong arguments must not show them on stderr
            text = f"{record.levelname} {record.name}: a log record of line {record.lineno} is malformed: {error}"
        return defused(redact(text))


class RotatingFile(logging.Handler):
    """Appends to one file, opened for each record, so that several processes can share and rotate it on any platform.

    Args:
        path: the newest file; older ones are `path` with .1, .2, ...
        max_bytes: a file at or over this size is put aside.
        keep: how many files put aside are kept.
    """

    def __init__(self, path: Path, *, max_bytes: int = 2 * 1024 * 1024, keep: int = 3) -> None:
        super().__init__()
        self.path = path
        self._max_bytes = max_bytes
        self._keep = keep

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. A full disk or a folder that is gone loses it, and nothing else."""
        line = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            handle = os.open(self.path, flags, 0o600)
            try:
                os.write(handle, line)
                size = os.fstat(handle).st_size
            finally:
                os.close(handle)
            if size >= self._max_bytes:
                self._rotate()
        except OSError:
            pass

    def _rotate(self) -> None:
        import filelock  # Hardly ever needed, and it takes a while to load.

        try:
            with filelock.FileLock(self.path.with_name(self.path.name + ".lock"), timeout=0, mode=0o600):
                if self.path.stat().st_size < self._max_bytes:
                    return  # another process was faster
                for number in range(self._keep, 0, -1):
                    source = self.path if number == 1 else self._aside(number - 1)
                    if source.exists():
                        source.replace(self._aside(number))
        except (filelock.Timeout, NotImplementedError):
            pass  # another process is at it, or this file system has no locks

    def _aside(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def configure(level: str, secrets: Iterable[Secret] = (), *, folder: Path | None = None) -> Path | None:
    """Start logging to the platform's log folder. Called again, it replaces what it set up before.

    Args:
        level: debug, info or warning.
        secrets: registered before the first record is written.
        folder: another folder than the platform's.

    Returns:
        the log file; None when the folder cannot be used (then nothing is logged, and nothing fails).
    """
    for secret in secrets:
        register_secret(secret)
    ours = logging.getLogger("pybridge")
    asyncssh = logging.getLogger("asyncssh")
    for logger in (ours, asyncssh):
        for handler in [h for h in logger.handlers if isinstance(h, RotatingFile | logging.NullHandler)]:
            logger.removeHandler(handler)
    try:
        folder = private_folder(folder or log_folder())
        handler: logging.Handler = RotatingFile(folder / LOG_NAME)
        path = folder / LOG_NAME
    except LocalStorageError:
        handler, path = logging.NullHandler(), None
    handler.setFormatter(RedactingFormatter(_FORMAT, "%Y-%m-%dT%H:%M:%S"))
    for logger in (ours, asyncssh):
        logger.addHandler(handler)
    ours.setLevel(_LEVELS[level])
    # asyncssh names every command at info level.
    asyncssh.setLevel(logging.INFO if level == "debug" else logging.WARNING)
    return path


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a log file, redacted; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 400 * lines))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return redact("\n".join(text.splitlines()[-lines:]))


def _forms(value: str) -> set[str]:
    raw = value.encode("utf-8", "surrogateescape" if _escapable(value) else "surrogatepass")
    forms = {
        value,
        shlex.quote(value),
        shlex.quote(shlex.quote(value))[1:-1],  # quoted once more, inside `sh -c '...'`
        value.replace("'", "'\\''"),
        value.replace("'", "'\"'\"'"),
        re.sub(r'([$`"\\])', r"\\\1", value),
        re.sub(r"([^\w@%+=:,./-])", r"\\\1", value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        repr(raw)[2:-1],
        urllib.parse.quote(raw),
        urllib.parse.quote(raw, safe=""),
        urllib.parse.quote_plus(raw),
        raw.hex(),
    }
    # Inside a longer base64 text the secret starts at one of three offsets; the characters it shares with its
    # neighbours at both ends differ, those between do not.
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + raw).decode()
        full = text.rstrip("=")
        first = (0, 2, 3)[offset]
        last = len(text) - 4 if (offset + len(raw)) % 3 else len(text)
        core = text[first : last + (0, 1, 2)[(offset + len(raw)) % 3]]
        for form in (full, text) if offset == 0 else ():
            forms |= {form, form.replace("+", "-").replace("/", "_")}
        forms |= {core, core.replace("+", "-").replace("/", "_")}
    return {form for form in forms if len(form) >= 4}


def _escapable(value: str) -> bool:
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
