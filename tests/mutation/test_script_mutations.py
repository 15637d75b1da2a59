"""The mutations of the shell scripts; a file of its own, so that two workers share the work."""

from __future__ import annotations

import pytest

from tests.mutation.copied_tree import CopiedTree
from tests.mutation.killing import as_parameters, see_it_killed
from tests.mutation.mutations import MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", as_parameters(m for m in MUTATIONS if m.file.endswith(".sh")))
def test_without_it_a_named_test_fails(request: pytest.FixtureRequest, copied: CopiedTree, mutation: Mutation) -> None:
    see_it_killed(request, copied, mutation)
