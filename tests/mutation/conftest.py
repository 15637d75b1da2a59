"""One copy of the package and its tests for all mutations of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.userlands import public_folder
from tests.mutation.copied_tree import CopiedTree


@pytest.fixture(scope="session")
def copied() -> Iterator[CopiedTree]:
    """The copy, where every user can reach it: some of its tests are made by plain users."""
    with public_folder() as folder:
        folder.chmod(0o755)
        yield CopiedTree(folder)
