"""Imports asyncssh without its, or its cryptography library's, words on standard error. Import asyncssh from here."""

from __future__ import annotations

import logging
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import asyncssh
    from asyncssh import constants, encryption, kex, mac, public_key


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

__all__ = ["asyncssh", "constants", "encryption", "kex", "mac", "public_key"]
