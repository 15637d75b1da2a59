"""Figures a test tells of its run, for docs/reliability.md: how many cases of which class, how many went wrong.

They travel in the test's report, so that the runs of several workers come together.
"""

from __future__ import annotations

import pytest

PROPERTY = "figure"


def tell(request: pytest.FixtureRequest, group: str, name: str, cases: int, wrong: int = 0) -> None:
    """Say what was tried.

    Args:
        request: of the test (the fixture `request`).
        group: the table it belongs to, e.g. "crash matrix".
        name: the class of cases, e.g. "edit, link cut at a packet's end". Same names are added up.
        cases: how many were tried.
        wrong: how many of them broke the promise; the test itself must fail if there are any.
    """
    request.node.user_properties.append((PROPERTY, [group, name, cases, wrong]))
