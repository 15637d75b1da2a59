"""Without its safeguard each promise is broken, and a named test says so: the tests can fail."""

from __future__ import annotations

import ast
import subprocess

import pytest

from tests.kit.counterparts import need
from tests.mutation.copied_tree import ROOT, CopiedTree
from tests.mutation.killing import as_parameters, see_it_killed
from tests.mutation.mutations import MUTATIONS, Mutation

WHERE_FROM = "tests/mutation/where_from.py"


@pytest.mark.unit
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_every_mutation_can_still_be_made(mutation: Mutation) -> None:
    original = (ROOT / mutation.file).read_text()
    mutated = mutation.applied_to(original)
    assert mutated != original
    if mutation.file.endswith(".py"):
        ast.parse(mutated)
    else:
        subprocess.run([need("sh"), "-n"], input=mutated, text=True, check=True)
    for test in mutation.tests:
        file, _, function = test.partition("::")
        assert f"def {function.partition('[')[0]}(" in (ROOT / file).read_text() or not function, test


@pytest.mark.unit
@pytest.mark.parametrize(("text", "times"), [("nothing of the kind", 0), ("kept kept", 2)])
def test_a_mutation_whose_text_is_not_there_once_fails_loudly(text: str, times: int) -> None:
    with pytest.raises(AssertionError, match=f"found {times} times"):
        Mutation("x", "some/file", "kept", "lost", ()).applied_to(text)


def test_it_is_the_copy_that_is_tested_in_subprocesses_too(copied: CopiedTree) -> None:
    outcome = copied.run(WHERE_FROM)
    assert list(outcome.states.values()) == ["passed", "passed"], outcome.said
    assert outcome.strangers == ()


@pytest.mark.parametrize("mutation", as_parameters(m for m in MUTATIONS if m.file.endswith(".py")))
def test_without_it_a_named_test_fails(request: pytest.FixtureRequest, copied: CopiedTree, mutation: Mutation) -> None:
    see_it_killed(request, copied, mutation)


def named_by(mutations: tuple[Mutation, ...]) -> list[str]:
    """The tests named by mutations, each once."""
    return sorted({test for mutation in mutations for test in mutation.tests})


@pytest.mark.parametrize(
    "quick", [pytest.param(True, id="quick"), pytest.param(False, id="all", marks=pytest.mark.whole)]
)
def test_the_same_tests_pass_in_the_copy_as_it_is(copied: CopiedTree, quick: bool) -> None:
    tests = named_by(tuple(mutation for mutation in MUTATIONS if mutation.quick or not quick))
    outcome = copied.run(*tests, require=True)
    assert outcome.strangers == ()
    wrong = [test for test in tests if not outcome.of(test) or not outcome.of(test) <= {"passed", "skipped"}]
    assert wrong == [], outcome.said[-3000:]
