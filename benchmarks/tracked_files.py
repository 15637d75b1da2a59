"""A mirror of very many files, made at once: as if each had been read long ago.

As a program, with the HOME of the sidecar: `python -m benchmarks.tracked_files SSH WORKDIR COUNT`. Reading them would
take minutes.
"""

from __future__ import annotations

import sys

from pybridge.locations import mirror_folder
from pybridge.mirror.content_store import ContentStore
from pybridge.settings import Settings
from pybridge.transport.carriers import find_route
from tests.kit.tracked_files import track as make_tracked


def track(ssh: str, workdir: str, count: int) -> None:
    """Make `count` files below WORKDIR/tracked known, whether they exist or not.

    Args:
        ssh: the command line that reaches the host.
        workdir: the folder worked in.
    """
    slug = find_route(Settings(ssh=ssh)).target.slug
    store = ContentStore(mirror_folder(slug, workdir), slug, workdir)
    make_tracked(store, workdir, count)
    store.close()


if __name__ == "__main__":
    track(sys.argv[1], sys.argv[2], int(sys.argv[3]))
