"""Whether OpenCode's read takes a file for binary: by its name, or by its first bytes."""

from __future__ import annotations

HEAD_BYTES = 4096
"""How many bytes of a file the decision looks at."""

CONTROL_SHARE = 0.3
"""The share of control characters above which bytes are binary."""

_ARCHIVES = (".zip", ".tar", ".gz", ".7z", ".jar", ".war")
_PROGRAMS = (".exe", ".dll", ".so", ".class", ".obj", ".o", ".a", ".lib", ".wasm", ".pyc", ".pyo")
_OFFICE = (".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".odt", ".ods", ".odp")
_DATA = (".bin", ".dat")
EXTENSIONS = frozenset((*_ARCHIVES, *_PROGRAMS, *_OFFICE, *_DATA))

# 9 to 13 are tab, newline, vertical tab, form feed and carriage return.
_CONTROL = bytes(code for code in range(32) if not 9 <= code <= 13)


def is_binary(name: str, head: bytes) -> bool:
    """Whether a file is binary.

    Args:
        name: name or path of the file.
        head: its first bytes; only HEAD_BYTES of them count.
    """
    return has_binary_extension(name) or looks_binary(head)


def has_binary_extension(name: str) -> bool:
    """Whether the name alone says so. A name that only begins with a dot has no extension."""
    base = name.rstrip("/").rpartition("/")[2]
    stem, dot, extension = base.rpartition(".")
    return bool(stem) and (dot + extension).lower() in EXTENSIONS


def looks_binary(head: bytes) -> bool:
    """Whether the bytes contain NUL, or more than 30 % control characters."""
    sample = head[:HEAD_BYTES]
    if b"\0" in sample:
        return True
    return len(sample) - len(sample.translate(None, _CONTROL)) > CONTROL_SHARE * len(sample)
