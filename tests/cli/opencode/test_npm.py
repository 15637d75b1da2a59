"""Which starts must not wait for the npm registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybridge.cli.opencode.npm import IMPATIENT, impatience

pytestmark = pytest.mark.unit


def test_a_start_that_would_install_is_impatient(tmp_path: Path) -> None:
    assert impatience({}, [tmp_path]) == IMPATIENT


def test_what_the_user_set_stands_in_either_spelling(tmp_path: Path) -> None:
    assert impatience({"NPM_CONFIG_FETCH_RETRIES": "5"}, [tmp_path]) == {"npm_config_fetch_timeout": "15000"}


def test_a_start_that_installs_nothing_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "node_modules" / "@opencode-ai" / "plugin").mkdir(parents=True)
    assert impatience({}, [tmp_path]) == {}
    assert impatience({}, [tmp_path, tmp_path / "other"]) == IMPATIENT
