"""The page about reliability says only what a run has shown, and names tests that are there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.reliability.page import FILE, Run, faults, render
from tests.reliability.promise import Chapter, Promise
from tests.reliability.promises import CHAPTERS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
NAMES = [(promise.text, name) for chapter in CHAPTERS for promise in chapter.promises for name in promise.tests]
CHAPTER = Chapter("Title", (Promise("It holds.", ("tests/a.py::test_a",), "the moon"),), ("points",))


def run(*, wrong: int = 0) -> Run:
    made = Run("today")
    made.passed |= {"tests/a.py::test_a[1]", "tests/a.py::test_a[2]", "tests/a.py::test_ab"}
    made.count("points", "cut", 1200, 0)
    made.count("points", "cut", 34, wrong)
    return made


@pytest.mark.parametrize(("promise", "name"), NAMES)
def test_every_test_that_is_said_to_hold_a_promise_is_there(promise: str, name: str) -> None:
    file, _, function = name.partition("::")
    assert (ROOT / file).exists(), promise
    if function:
        names = {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if hasattr(node, "name")}  # type: ignore[attr-defined]
        assert function.partition("::")[0] in names, promise


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.title)
def test_the_page_has_every_promise(chapter: Chapter) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert chapter.title in text
    for promise in chapter.promises:
        assert f"- {promise.text}" in text, "make reliability writes the page"


def test_cases_of_one_class_are_added_up_and_tests_counted() -> None:
    text = render([CHAPTER], run())
    assert "| cut | 1,234 | 0 |" in text
    assert "`tests/a.py::test_a`: 2 passed." in text
    assert "the moon" in text


def test_a_run_with_anything_wrong_writes_no_page() -> None:
    assert faults([CHAPTER], run()) == []
    assert faults([CHAPTER], run(wrong=1)) == ["points: cut: 1 wrong"]
    assert faults([CHAPTER], Run()) == ["tests/a.py::test_a did not run", "there are no figures of points"]
    failed = run()
    failed.failed.add("tests/a.py::test_a[3]")
    assert faults([CHAPTER], failed) == ["tests/a.py::test_a[3] did not pass"]
