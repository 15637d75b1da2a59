"""A mirror of very many files, made at once: as if each had been read long ago.

As a program, with the HOME of the sidecar: `python -m benchmarks.tracked_files SSH WORKDIR COUNT`. Reading them would
take minutes.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from pybridge.locations import mirror_folder, private_folder
from pybridge.mirror.content_store import ContentStore
from pybridge.settings import Settings
from pybridge.transport.carriers import find_route

_LONG_AGO = 1_000_000_000


def track(ssh: str, workdir: str, count: int) -> None:
    """Make `count` files below WORKDIR/tracked known, whether they exist or not.

    Args:
        ssh: the command line that reaches the host.
        workdir: the folder worked in.
    """
    slug = find_route(Settings(ssh=ssh)).target.slug
    store = ContentStore(mirror_folder(slug, workdir), slug, workdir)
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
        os.utime(local, (_LONG_AGO + number, _LONG_AGO + number))
    store.close()


if __name__ == "__main__":
    track(sys.argv[1], sys.argv[2], int(sys.argv[3]))
