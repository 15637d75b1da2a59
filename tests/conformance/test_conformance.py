"""Law 10: the same calls through OpenCode's own tools on a local tree, and through ours on the same tree over SSH.

Text, title, metadata, attachments and the files left behind must be the same, but for what the closed table
`pybridge.tools.differences` names.
"""

from __future__ import annotations

import ast
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from pybridge.tools.differences import DIFFERENCES, Difference
from tests.conformance import (
    cases_arguments,
    cases_bash,
    cases_edit,
    cases_patch,
    cases_read,
    cases_search,
    cases_write,
)
from tests.conformance.case import Case
from tests.conformance.comparing import complaints, rows_about, unlike
from tests.conformance.conftest import Stage
from tests.conformance.coverage import COVERAGE, ELSEWHERE
from tests.conformance.evidence import Row
from tests.conformance.generated_edit import edit_case
from tests.conformance.generated_patch import patch_case
from tests.conformance.generated_read import read_case
from tests.conformance.winners import replacer_of

pytestmark = pytest.mark.timeout(1200)  # the first test waits until everything is played

_MODULES = (cases_arguments, cases_bash, cases_edit, cases_patch, cases_read, cases_search, cases_write)
SCRIPTED = {case.id: case for module in _MODULES for case in module.CASES}
GENERATED = {
    "read": tuple(map(read_case, range(60))),
    "edit": tuple(map(edit_case, range(780))),
    "patch": tuple(map(patch_case, range(600))),
}
SAMPLED = {"read": 12, "edit": 104, "patch": 80}
"""How many of the generated cases `make test` plays; `make test-all` plays all."""

REPLACERS = {
    *("simple", "line_trimmed", "block_anchor", "whitespace_normalized", "escape_normalized"),
    *("trimmed_boundary", "context_aware", "refused", "ambiguous", "not found"),
}
"""What may come of looking for oldString; the two other replacers find nothing that none before them has found."""

ROOT = Path(__file__).parents[2]


def _named(row: Row | Difference) -> tuple[Case, ...]:
    return tuple(SCRIPTED[id] for id in (row.cases if isinstance(row, Row) else row.calls) if id in SCRIPTED)


@pytest.mark.parametrize("cases", [(case,) for case in SCRIPTED.values()], ids=list(SCRIPTED))
def test_a_call_comes_to_the_same_or_the_table_says_why(stage: Stage, cases: tuple[Case]) -> None:
    (case,) = cases
    assert not (said := complaints(case, stage.theirs[case.id], stage.ours[case.id])), said


@pytest.mark.parametrize(("row", "cases"), [(row, _named(row)) for row in COVERAGE], ids=[row.name for row in COVERAGE])
def test_every_string_and_branch_of_the_contract_is_hit(stage: Stage, row: Row, cases: tuple[Case, ...]) -> None:
    assert [case.id for case in cases] == list(row.cases) != []
    for case in cases:
        assert row.seen(case, stage.theirs[case.id]), stage.theirs[case.id]
        if not rows_about(case.id):
            assert row.seen(case, stage.ours[case.id]), stage.ours[case.id]


@pytest.mark.parametrize(("row", "cases"), [(d, _named(d)) for d in DIFFERENCES], ids=[d.name for d in DIFFERENCES])
def test_every_intended_difference_is_seen_in_the_calls_it_names(
    stage: Stage, row: Difference, cases: tuple[Case, ...]
) -> None:
    assert [case.id for case in cases] == list(row.calls)
    seen = {part for case in cases for part in unlike(case, stage.theirs[case.id], stage.ours[case.id])}
    assert seen == set(row.parts)


def test_what_cannot_be_played_names_the_test_that_shows_it() -> None:
    for row in DIFFERENCES:
        assert bool(row.calls) != bool(row.shown_by), row
    for test in [*(row.shown_by for row in DIFFERENCES if row.shown_by), *(test for _, test in ELSEWHERE)]:
        file, _, function = test.partition("::")
        tree = ast.parse((ROOT / file).read_text())
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert function in names, test


@pytest.mark.parametrize("cases", [cases[: SAMPLED[kind]] for kind, cases in GENERATED.items()], ids=list(GENERATED))
def test_generated_calls_come_to_the_same(stage: Stage, cases: tuple[Case, ...]) -> None:
    _assert_same(stage, cases)


@pytest.mark.whole
@pytest.mark.parametrize("cases", list(GENERATED.values()), ids=list(GENERATED))
def test_many_generated_calls_come_to_the_same(stage: Stage, cases: tuple[Case, ...]) -> None:
    _assert_same(stage, cases)


def test_generated_edits_reach_every_replacer() -> None:
    reached = Counter(map(replacer_of, GENERATED["edit"][: SAMPLED["edit"]]))
    assert set(reached) == REPLACERS, reached


def test_nothing_was_done_on_this_machine(stage: Stage) -> None:
    assert stage.left_locally == ()


def test_what_was_played_is_told(stage: Stage, request: pytest.FixtureRequest) -> None:
    generated = {case.id for case in chain(*GENERATED.values())} & set(stage.ours)
    scripted = set(SCRIPTED) & set(stage.ours)
    differ = {id for row in DIFFERENCES for id in row.calls} & scripted
    request.node.user_properties.append(
        (
            "told",
            f"conformance: {stage.calls} calls on each side in {stage.seconds:.0f} s "
            f"({len(scripted)} scripted cases, {len(generated)} generated); {len(COVERAGE)} strings and branches of "
            f"the contract; {len(DIFFERENCES)} intended differences, seen in {len(differ)} cases",
        )
    )


def _assert_same(stage: Stage, cases: tuple[Case, ...]) -> None:
    said = [text for case in cases if (text := complaints(case, stage.theirs[case.id], stage.ours[case.id]))]
    assert not said, f"{len(said)} of {len(cases)} cases differ:\n" + "\n".join(said[:20])
