"""Permissions without rules of the user's, and without a person to ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pybridge.demo.model_server import Turn, call, say
from tests.e2e.conftest import LAUNCH, MakeHome
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.remote_truth import RemoteTruth

REJECTED = "The user rejected permission to use this specific tool call."


@pytest.mark.whole
def test_run_rejects_what_is_asked(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth
) -> None:
    """`opencode run` without --auto."""
    home = make_home(config={"permission": {"edit": "ask"}}, environment=settings)
    run = home.run([call("write", filePath=f"{workdir}/a.txt", content="x"), say("never said")], launcher=LAUNCH)
    assert (run.only.status, run.only.text) == ("error", REJECTED), run
    assert run.texts == []
    assert truth.tree(workdir) == {}


@pytest.mark.whole
def test_outside_the_workdir_is_asked_as_external_directory(
    make_home: MakeHome, settings: dict[str, str], workdir: str, truth: RemoteTruth
) -> None:
    """D13: reached by name, by `..` and through a symlink."""
    outside = f"{Path(workdir).parent}/outside"
    truth.write(f"{outside}/secret.txt", b"outside\n")
    truth.run(f"ln -s {outside} {workdir}/link")
    home = make_home(environment=settings)
    try:
        with OpenCodeServe(home, launcher=LAUNCH) as server:
            for path in (f"{outside}/secret.txt", f"{workdir}/../outside/secret.txt", f"{workdir}/link/secret.txt"):
                for turn in (call("read", filePath=path), call("write", filePath=path, content="x")):
                    assert _reject(server, turn)["permission"] == "external_directory", path
        assert truth.read(f"{outside}/secret.txt") == b"outside\n"
    finally:
        truth.remove(outside)


def _reject(server: OpenCodeServe, turn: Turn) -> dict[str, Any]:
    """Play one call in a session of its own and reject what it asks; returns what was asked."""
    session = server.session()
    server.start_message(session, [turn, say("never said")])
    asked = server.wait_permission()
    server.reply(asked["id"], "reject")
    server.wait_idle(session)
    (use,) = server.tools(session)
    assert (use.status, use.text) == ("error", REJECTED)
    assert server.model.remaining == 1  # the turn ended there
    return asked
