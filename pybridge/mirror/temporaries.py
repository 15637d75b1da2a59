"""What we may have left on the remote: recorded here before it is made, so that the next connection can put it right.

One small file holds everything about one request to the remote, put in place whole: it survives a kill at any moment,
two processes write theirs side by side without a lock, and damage to one says nothing about the others. Nothing on the
remote is ever removed that is not named in a record (law 2).
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pybridge.host.applying import Step
from pybridge.host.control_shell import ShellIdentity
from pybridge.host.model import ABSENT, FileVersion
from pybridge.host.recovery import Leftover
from pybridge.locations import private_folder, remove_abandoned, slug, write_private

FORMAT = 1
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """One request's leftovers.

    Args:
        key: names the record.
        leftovers: what the request may have left, one entry per change; their keys begin with `key`.
    """

    key: str
    leftovers: tuple[Leftover, ...]


class TemporaryRecords:
    """The records for one host.

    Args:
        folder: of all hosts (below `locations.state_folder()`).
        host: slug of the target; others' records are never seen.
    """

    def __init__(self, folder: Path, host: str) -> None:
        self._host = host
        self._folder = folder / slug(host)

    def begin(self, steps: Sequence[Step], owner: ShellIdentity) -> str:
        """Record a request before its first byte is sent.

        A kill does not lose the record. A power failure of this machine may: then a hidden file stays on the remote,
        nothing worse, because the remote finishes a request it has received without us. So nobody waits for the disk.

        Returns:
            The record's key.

        Raises:
            LocalStorageError: it could not be recorded, so the request must not be made.
        """
        key = secrets.token_hex(8)
        leftovers = [
            Leftover(
                key=f"{key}-{index}",
                path=step.change.path,
                target=step.real,
                temporaries=tuple(t for t in (step.temporary, step.elsewhere) if t is not None),
                old_digest=_digest(step.change.expected),
                new_digest=_digest(step.version),
                owner=owner,
            )
            for index, step in enumerate(steps)
        ]
        private_folder(self._folder)
        data = {"format": FORMAT, "host": self._host, "leftovers": [asdict(left) for left in leftovers]}
        write_private(self._file(key), json.dumps(data).encode(), durable=False)
        return key

    def done(self, key: str) -> None:
        """Nothing of that request remains on the remote."""
        try:
            self._file(key).unlink(missing_ok=True)
        except OSError as error:  # the next connection finds nothing to put right and tries again
            _LOGGER.info("The record %s could not be removed: %s", key, error)

    def pending(self) -> list[Record]:
        """Every record, of this and other processes. Unreadable ones are left alone."""
        found: list[Record] = []
        remove_abandoned(self._folder)
        try:
            files = sorted(self._folder.glob("request-*.json"))
        except OSError as error:
            _LOGGER.warning("The records in %s cannot be read: %s", self._folder, error)
            return found
        for file in files:
            try:
                data = json.loads(file.read_bytes())
                if data["format"] == FORMAT and data["host"] == self._host:
                    key = file.stem.removeprefix("request-")
                    found.append(Record(key, tuple(_leftover(key, left) for left in data["leftovers"])))
                    continue
            except FileNotFoundError:
                continue  # another process was done with it
            except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
                _LOGGER.warning("The record %s cannot be read and is left alone: %r", file, error)
                continue
            _LOGGER.warning("The record %s is of another format or host and is left alone.", file)
        return found

    def _file(self, key: str) -> Path:
        return self._folder / f"request-{key}.json"


def _digest(version: FileVersion) -> str:
    return "absent" if version == ABSENT else version.digest


def _leftover(key: str, data: dict[str, Any]) -> Leftover:
    owner = data["owner"]
    texts = {name: str(data[name]) for name in ("path", "target", "old_digest", "new_digest")}
    number = int(str(data["key"]).rpartition("-")[2])
    return Leftover(
        key=f"{key}-{number}",
        temporaries=tuple(str(path) for path in data["temporaries"]),
        owner=ShellIdentity(int(owner["pid"]), str(owner["started"]), str(owner["boot_id"])),
        **texts,
    )
