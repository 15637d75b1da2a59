"""The sample project has exactly one bug, and the job's own steps mend it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pybridge.demo.job import Outcome, Step, complaint, job
from pybridge.demo.sample_project import FILES, create

pytestmark = pytest.mark.unit


def run_tests(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", "-m", "unittest", "-q"], cwd=folder, capture_output=True, text=True, timeout=60
    )


def test_one_test_fails_until_the_planted_bug_is_fixed(tmp_path: Path) -> None:
    create(tmp_path)
    before = run_tests(tmp_path)
    assert before.returncode == 1
    assert "FAILED (failures=1)" in before.stderr
    edit = next(step.arguments for step in job(str(tmp_path)) if step.tool == "edit")
    file = Path(edit["filePath"])
    assert file.read_text().count(edit["oldString"]) == 1
    file.write_text(file.read_text().replace(edit["oldString"], edit["newString"]))
    assert run_tests(tmp_path).returncode == 0


def test_create_writes_every_file(tmp_path: Path) -> None:
    create(tmp_path / "deep" / "project")
    found = {str(p.relative_to(tmp_path / "deep" / "project")) for p in tmp_path.rglob("*") if p.is_file()}
    assert found == set(FILES)


def test_the_job_uses_all_seven_tools() -> None:
    assert {step.tool for step in job("/w")} == {"bash", "glob", "grep", "read", "write", "edit", "apply_patch"}


def test_no_editor_step_follows_the_patch() -> None:
    # OpenCode offers apply_patch and edit to different models, so the job is cut in two at the patch.
    tools = [step.tool for step in job("/w")]
    assert not {"edit", "write"} & set(tools[tools.index("apply_patch") :])


@pytest.mark.parametrize(
    ("outcome", "fails", "complains"),
    [
        (Outcome("yes", False, 0), False, False),
        (Outcome("no", False, 0), False, True),
        (Outcome("yes", True, 0), False, True),
        (Outcome("yes", True, 0), True, False),
        (Outcome("yes", False, 0), True, True),
    ],
)
def test_an_outcome_that_differs_is_complained_about(outcome: Outcome, fails: bool, complains: bool) -> None:
    assert (complaint(Step("", "bash", {}, "yes", fails), outcome) is not None) == complains
