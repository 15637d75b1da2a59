"""One change in the undo journal: by which call it was made, what it turned into what, and how it ended."""

from __future__ import annotations

import datetime
import enum
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pybridge.host.model import ABSENT, FileVersion

FORMAT = 1
ENTRY = "entry.json"
ID_LENGTH = 8

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # none that is taken for another
_TIME = "%Y%m%dT%H%M%S%f"


class State(enum.Enum):
    """How a change stands."""

    PENDING = "pending"  # recorded, and nothing more heard: under way, or its process was killed
    MADE = "made"
    NOT_MADE = "not made"
    UNKNOWN = "unknown"  # the link died at a moment when it may or may not have been made
    UNDOING = "undoing"  # an undo or redo of it was begun, and nothing more heard
    UNDONE = "undone"


class Side(enum.Enum):
    """Which of a file's two contents."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True)
class Target:
    """Where a change was made: enough to go there again. No secret.

    Args:
        slug: the transport's slug of REMOTE_SSH.
        host: as a person would name it.
        ssh: REMOTE_SSH as it was written.
        workdir: remote absolute folder, symlinks resolved.
        transport: REMOTE_TRANSPORT.
    """

    slug: str
    host: str
    ssh: str
    workdir: str
    transport: str = "asyncssh"


@dataclass(frozen=True)
class Origin:
    """The call that makes a change.

    Args:
        session_id, message_id, call_id: OpenCode's ids.
        tool: `write`, `edit` or `apply_patch`.
    """

    session_id: str
    message_id: str
    call_id: str
    tool: str


@dataclass(frozen=True)
class Image:
    """One file of a change that is about to be made.

    Args:
        path: remote absolute path as the tool names it.
        real: with symlinks resolved.
        before: its content now; None where there is no file.
        after: the content it is to get; None removes it.
        mode: permission bits of the file that is there, None where there is none or it is not known.
        new_mode: those that a moved file brings along to a new place, else None.
    """

    path: str
    real: str
    before: bytes | None
    after: bytes | None
    mode: int | None = None
    new_mode: int | None = None


@dataclass(frozen=True)
class ChangedFile:
    """One file of a recorded change; `before` and `after` name its contents by SHA-256, whatever the remote counts by.

    Args:
        path, real, mode, new_mode: as in `Image`.
        before, after: versions; ABSENT where there is no file.
    """

    path: str
    real: str
    before: FileVersion
    after: FileVersion
    mode: int | None = None
    new_mode: int | None = None

    def version(self, side: Side) -> FileVersion:
        """The version of one side."""
        return self.before if side is Side.BEFORE else self.after


@dataclass(frozen=True)
class Trouble:
    """Why a change could not be restored.

    Args:
        time: when that was tried (UTC).
        text: a sentence for a person.
    """

    time: datetime.datetime
    text: str


@dataclass(frozen=True)
class Entry:
    """One recorded change. All of its files were changed together.

    Args:
        id: names it among all changes of this machine; any prefix of it that no other has will do.
        time: when it was recorded (UTC).
        target: where.
        origin: by which call.
        state: how it stands.
        files: what it changes.
        trouble: why it could not be undone or redone when that was last tried, else None.
    """

    id: str
    time: datetime.datetime
    target: Target
    origin: Origin
    state: State
    files: tuple[ChangedFile, ...]
    trouble: Trouble | None = None

    @property
    def key(self) -> str:
        """The name of its folder: sorts by time."""
        return key_of(self.time, self.id)

    @property
    def session_id(self) -> str:
        """OpenCode's session."""
        return self.origin.session_id

    @property
    def message_id(self) -> str:
        """OpenCode's message that holds the call."""
        return self.origin.message_id


def new_id() -> str:
    """An id nobody has, as far as chance goes."""
    return "".join(secrets.choice(_LETTERS) for _ in range(ID_LENGTH))


def key_of(time: datetime.datetime, id: str) -> str:
    """The name of an entry's folder."""
    return f"{time.astimezone(datetime.UTC).strftime(_TIME)}-{id}"


def read_key(key: str) -> tuple[datetime.datetime, str] | None:
    """The time and id in the name of an entry's folder; None if it is no such name."""
    time, dash, id = key.partition("-")
    if not dash or len(id) != ID_LENGTH or set(id) - set(_LETTERS):
        return None
    try:
        return datetime.datetime.strptime(time, _TIME).replace(tzinfo=datetime.UTC), id
    except ValueError:
        return None


def version_here(content: bytes | None) -> FileVersion:
    """The journal's version of a content."""
    return ABSENT if content is None else FileVersion(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))


def to_json(entry: Entry) -> bytes:
    """The form an entry has on disk."""
    trouble = None if entry.trouble is None else {"time": entry.trouble.time.isoformat(), "text": entry.trouble.text}
    data = {
        "format": FORMAT,
        "id": entry.id,
        "time": entry.time.isoformat(),
        "state": entry.state.value,
        **vars(entry.origin),
        "target": entry.target,
        "files": entry.files,
        "trouble": trouble,
    }
    return json.dumps(data, default=vars).encode()  # in a fifth of the time that `asdict` takes


def from_json(data: bytes) -> Entry:
    """The entry of this form.

    Raises:
        ValueError: it is none, or of a newer format.
    """
    try:
        raw = json.loads(data)
        if raw["format"] != FORMAT:
            raise ValueError(f"format {raw['format']!r}")
        return Entry(
            id=str(raw["id"]),
            time=_time(raw["time"]),
            target=Target(**{name: str(value) for name, value in raw["target"].items()}),
            origin=Origin(*(str(raw[name]) for name in ("session_id", "message_id", "call_id", "tool"))),
            state=State(raw["state"]),
            files=tuple(_file(file) for file in _rows(raw["files"])),
            trouble=None if raw["trouble"] is None else _trouble(raw["trouble"]),
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def with_state(entry: Entry, state: State, trouble: str | None = None) -> Entry:
    """The entry in another state; what was the trouble before is forgotten."""
    now = None if trouble is None else Trouble(datetime.datetime.now(datetime.UTC), trouble)
    return replace(entry, state=state, trouble=now)


def _time(text: str) -> datetime.datetime:
    time = datetime.datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return time


def _rows(value: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list) or not value:
        raise ValueError("no files")
    return value


def _file(raw: Mapping[str, Any]) -> ChangedFile:
    return ChangedFile(
        str(raw["path"]),
        str(raw["real"]),
        FileVersion(str(raw["before"]["digest"]), int(raw["before"]["size"])),
        FileVersion(str(raw["after"]["digest"]), int(raw["after"]["size"])),
        _mode(raw["mode"]),
        _mode(raw["new_mode"]),
    )


def _mode(value: Any) -> int | None:
    return None if value is None else int(value) & 0o7777


def _trouble(raw: Mapping[str, Any]) -> Trouble:
    return Trouble(_time(raw["time"]), str(raw["text"]))
