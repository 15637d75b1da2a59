"""A whole run on small data, the page that is made of it, and the page that is committed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.budget_rows import BUDGETS, ROWS
from benchmarks.plots import can_draw
from tests.kit.counterparts import need

ROOT = Path(__file__).resolve().parents[2]


def rows(page: str) -> set[str]:
    """The first cells of all its tables."""
    return {line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")}


@pytest.mark.whole
def test_a_quick_run_measures_every_row_and_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for program in ("sshd", "ssh", "rg"):
        need(program)
    save = tmp_path / "performance"
    words = ["--quick", "--only", "budgets", "--rtt", "0", "10", "--adapters", "pybridge", "ssh"]
    main([*words, "--save", str(save), "--parent", str(tmp_path)])
    results = json.loads((save / "results.json").read_text())
    figures = results["sections"]["budgets"]["section"]["figures"]
    for row in ROWS:
        for table in ("0 ms round trip", "10 ms round trip"):
            found = figures[table][row.name]["found"]["pybridge"]
            assert found["why"] == ""
            assert len(found["seconds"]) == 1
    assert figures["10 ms round trip"]["bash `true`"]["found"]["pybridge"]["round_trips"] >= [1]
    page = (tmp_path / "performance.md").read_text()
    assert {row.name for row in ROWS} | {BUDGETS[-1]} <= rows(page)
    assert "Made by `python -m benchmarks --rtt 0 10 --only budgets --adapters pybridge ssh --quick` on" in page
    for text in (page, json.dumps(results), capsys.readouterr().out):
        assert str(tmp_path) not in text
    if can_draw():
        assert "(performance/alternatives.svg)" in page
        first = (save / "alternatives.svg").read_text()
        assert ">run a command</text>" in first
        main(["--page-only", "--save", str(save)])
        assert (save / "alternatives.svg").read_text() == first


@pytest.mark.unit
def test_the_page_names_every_row_of_the_budget() -> None:
    path = ROOT / "docs/performance.md"
    if not path.exists():
        pytest.skip("docs/performance.md is not there yet")
    assert {row.name for row in ROWS} | {BUDGETS[-1]} <= rows(path.read_text())


@pytest.mark.unit
def test_an_unknown_adapter_is_refused() -> None:
    with pytest.raises(SystemExit, match="no such adapter: nobody"):
        main(["--adapters", "nobody"])
    with pytest.raises(SystemExit, match="--adapter wants NAME=COMMAND"):
        main(["--adapter", "nothing"])
