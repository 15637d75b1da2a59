"""The demo itself, on this machine, and how it fails."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

import pytest

from pybridge.demo.failure import DemoError
from pybridge.demo.job import Step, job
from pybridge.demo.runner import run_demo
from tests.kit.opencode import opencode_binary
from tests.kit.processes import Running, with_home_below


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for everything temporary, so that what is left behind can be seen; and no OpenCode on PATH."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
    return tmp_path


def left(folder: Path) -> tuple[list[Path], list[Running]]:
    return list(folder.iterdir()), with_home_below(folder)


@pytest.mark.parametrize("latency", [0, 30])
def test_the_job_succeeds_and_leaves_nothing(folder: Path, latency: int) -> None:
    out = io.StringIO()
    run_demo(latency_ms=latency, out=out)
    said = out.getvalue()
    assert re.findall(r"^\[(\d)/9\]", said, re.MULTILINE) == [str(n) for n in range(1, 10)]
    assert "pybridge launch" in said
    assert left(folder) == ([], [])


@pytest.mark.whole
def test_the_same_job_through_the_real_opencode(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = opencode_binary()
    monkeypatch.setenv("PATH", f"{binary.parent}:/usr/local/bin:/usr/bin:/bin")
    out = io.StringIO()
    run_demo(out=out)
    assert re.findall(r"^\[(\d)/9\]", out.getvalue(), re.MULTILINE) == [str(n) for n in range(1, 10)] * 2
    assert left(folder) == ([], [])


def test_a_wrong_result_names_the_step(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(workdir: str) -> list[Step]:
        return [*job(workdir)[:1], Step("?", "read", {"filePath": f"{workdir}/none"}, "text")]

    monkeypatch.setattr("pybridge.demo.runner.job", broken)
    with pytest.raises(DemoError, match=r"Step 2 \(read\) failed: the call ended as an error"):
        run_demo(out=io.StringIO())
    assert left(folder) == ([], [])


def test_a_sidecar_that_does_not_start_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pybridge.demo.sidecar_client.sys.executable", "/bin/false")
    with pytest.raises(DemoError, match="did not start"):
        run_demo(out=io.StringIO())
    assert left(folder) == ([], [])


def test_opencode_asked_for_without_npm_says_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    with pytest.raises(DemoError, match="no npm"):
        run_demo(opencode=True, out=io.StringIO())
