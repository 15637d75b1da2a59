"""Where a secret lies that should lie nowhere: command lines and environments of all processes, and files."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import urllib.parse
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.kit.counterparts import need


def places_with(needle: str, folders: Iterable[Path]) -> list[str]:
    """Files below `folders`, links not followed, and files in /proc, that hold `needle`."""
    wanted = needle.encode()
    paths = of_processes() + below(*folders)
    return [path for path in paths if wanted in _content(path)]


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes() if stat.S_ISREG(os.lstat(path).st_mode) else b""
    except OSError:
        return b""  # ended or removed meanwhile


class Needles:
    """Secrets to look for, as they are and in the usual encodings.

    Args:
        secrets: by name. Each is on this machine in this run only, and of ASCII characters.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._forms = {name: _forms(secret) for name, secret in secrets.items()}

    def found_in(self, data: bytes | str) -> set[str]:
        """The names of those it holds."""
        raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        return {name for name, forms in self._forms.items() if any(form in raw for form in forms)}

    def found_in_files(self, paths: Iterable[Path | str]) -> dict[str, set[str]]:
        """By path, the names of those each file holds."""
        return {str(path): names for path in paths if (names := self.found_in(_content(str(path))))}


def _forms(secret: str) -> list[bytes]:
    raw = secret.encode()
    forms = {raw, urllib.parse.quote(secret, safe="").encode(), raw.hex().encode(), raw.hex().upper().encode()}
    for shift in range(3):
        # The characters of base64 that depend on nothing but the secret, wherever in a longer text it begins.
        coded = base64.b64encode(bytes(shift) + raw)
        forms.add(coded[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6])
    return sorted(forms)


def of_processes() -> list[str]:
    """The files in /proc that show the command lines and environments of all processes."""
    return [str(path / name) for path in Path("/proc").glob("[0-9]*") for name in ("cmdline", "environ")]


def below(*folders: Path) -> list[str]:
    """Every file below, links not followed."""
    return [str(Path(place, name)) for folder in folders for place, _, names in os.walk(folder) for name in names]


def changed_since(moment: float, *roots: Path) -> list[str]:
    """Every file changed or made since then on the file systems of some folders, whatever its dates say.

    Args:
        moment: seconds since the epoch.
        roots: folders whose file systems are looked at whole, below these folders.
    """
    found: list[str] = []
    for root in roots:
        words = [need("find"), str(root), "-xdev", "-type", "f", "-newerct", f"@{moment:.0f}", "-size", "-100000k"]
        listed = subprocess.run([*words, "-print0"], capture_output=True, check=False).stdout  # some vanish meanwhile
        found += [os.fsdecode(path) for path in listed.split(b"\0") if path]
    return found
