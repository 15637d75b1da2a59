"""What can be known of asyncssh, and left out of it, before it is loaded."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

_VERSION = re.compile(r"^__version__ = '([\w.+]+)'$", re.MULTILINE)
_UNUSED = ("asyncssh.sftp", "asyncssh.scp")
_KNOWN = "2.24."
"""The versions that are known to load without these."""


def asyncssh_version() -> str | None:
    """Its version; None where its files do not say."""
    with contextlib.suppress(OSError, ImportError, ValueError):
        spec = importlib.util.find_spec("asyncssh")
        if spec is not None and spec.origin is not None:
            text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
            if found := _VERSION.search(text):
                return found[1]
    return None


def leave_out_file_transfers() -> None:
    """Have this process load asyncssh without SFTP and SCP, which takes a megabyte and a seventh of the time less.

    To be called before asyncssh is loaded, by a process that will never serve or use them.
    """
    if "asyncssh" in sys.modules or not (asyncssh_version() or "").startswith(_KNOWN):
        return
    for name in _UNUSED:
        sys.modules[name] = _LeftOut(name)


class _LeftOut(ModuleType):
    """Has whatever name is imported from it: a class that cannot be used."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (_Unusable,), {"__module__": self.__name__})


class _Unusable(Exception):
    def __init__(self, *_: object, **__: object) -> None:
        raise NotImplementedError(f"{type(self).__module__} is left out of this process")
