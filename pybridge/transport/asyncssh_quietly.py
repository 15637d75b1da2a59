"""Imports asyncssh without its, or its cryptography library's, words on standard error. Import asyncssh from here."""

from __future__ import annotations

import logging
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import asyncssh
    from asyncssh import constants, encryption, kex, mac, public_key

logging.getLogger("asyncssh").addHandler(logging.NullHandler())
logging.getLogger("asyncssh").setLevel(logging.WARNING)  # Its INFO lines hold whole command lines.
warnings.filterwarnings("ignore", module=r"asyncssh(\..*)?")
warnings.filterwarnings("ignore", module=r"cryptography(\..*)?")

__all__ = ["asyncssh", "constants", "encryption", "kex", "mac", "public_key"]
