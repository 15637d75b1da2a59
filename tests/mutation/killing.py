"""Mutating the copy, and seeing that each named test fails."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from tests.kit.counterparts import missing
from tests.kit.figures import tell
from tests.mutation.copied_tree import CopiedTree
from tests.mutation.mutations import Mutation


def as_parameters(mutations: Iterable[Mutation]) -> list[Any]:
    """The mutations as parameters of a test; `make test` takes the quick ones."""
    return [
        pytest.param(mutation, id=mutation.name, marks=[] if mutation.quick else pytest.mark.whole)
        for mutation in mutations
    ]


def see_it_killed(request: pytest.FixtureRequest, copied: CopiedTree, mutation: Mutation) -> None:
    """Run the named tests on the mutated copy.

    Raises:
        AssertionError: one of them did not fail.
    """
    with copied.with_mutation(mutation):
        outcome = copied.run(*mutation.tests)
    assert outcome.strangers == ()
    survived = []
    for test in mutation.tests:
        states = outcome.of(test)
        if states == {"skipped"}:
            missing(f"what {test} needs")
        if "failed" not in states:
            survived.append(f"{test}: {', '.join(sorted(states)) or 'not run'}")
    tell(request, "mutations", "mutants killed", 1, len(survived))
    assert survived == [], outcome.said[-3000:]
