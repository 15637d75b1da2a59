"""Imports asyncssh without its, or its cryptography library's, words on standard error. Import asyncssh from here.

Nor does the import start programs: asyncssh looks for two optional libraries in a way that runs ldconfig, and where
they are missing a C compiler and a linker, which takes longer than all the rest of it.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator

from pybridge.transport.shared_libraries import find_library


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    import ctypes.util

    usual, ctypes.util.find_library = ctypes.util.find_library, find_library
    # X.509 in SSH, which OpenSSH does not know. It needs a library more than we have, but loads megabytes first.
    sys.modules["asyncssh.crypto.x509"] = None  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        ctypes.util.find_library = usual
        del sys.modules["asyncssh.crypto.x509"]


with _quietly():
    import asyncssh
    from asyncssh import constants, encryption, kex, mac, misc, packet, public_key


class _NoLostTransfers(logging.Filter):
    """Drops what asyncio says of tasks that a parallel transfer of asyncssh leaves behind when its link ends.

    Whoever waits for the transfer has the error already.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not (isinstance(error, asyncssh.Error) and "never retrieved" in record.getMessage())


logging.getLogger("asyncio").addFilter(_NoLostTransfers())
logging.getLogger("asyncssh").addHandler(logging.NullHandler())
logging.getLogger("asyncssh").setLevel(logging.WARNING)  # Its INFO lines hold whole command lines.
warnings.filterwarnings("ignore", module=r"asyncssh(\..*)?")
warnings.filterwarnings("ignore", module=r"cryptography(\..*)?")

__all__ = ["asyncssh", "constants", "encryption", "kex", "mac", "misc", "packet", "public_key"]
