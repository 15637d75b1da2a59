"""A mirror of very many files, made at once: as if each had been read long ago. Reading them would take minutes."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from pybridge.locations import private_folder
from pybridge.mirror.content_store import ContentStore

LONG_AGO = 1_000_000_000
"""When the first of them was read; each following one a second later."""


def track(store: ContentStore, workdir: str, count: int) -> None:
    """Make `count` files below WORKDIR/tracked known, whether they exist or not."""
    made: set[Path] = set()
    for number in range(count):
        path, content = f"{workdir}/tracked/{number % 300}/{number}", b"%d\n" % number
        digest = hashlib.sha256(content).hexdigest()
        entry = {"path": path, "digest": f"sha256:{digest}", "size": len(content), "sha256": digest}
        local = store.mapper.to_local(path)
        for file, data in ((local, content), (store._entry_file(path), json.dumps(entry).encode())):
            if file.parent not in made:
                made.add(private_folder(file.parent))
            file.write_bytes(data)
        os.utime(local, (LONG_AGO + number, LONG_AGO + number))
