"""The same calls through OpenCode's own tools and through ours ask for the same things."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pybridge.demo.model_server import MODEL_ID, ToolCall, calls, say
from pybridge.tools.differences import DIFFERENCES
from tests.e2e.conftest import LAUNCH, MakeHome, Remote
from tests.e2e.permission_cases import COMMANDS, DIFFERENT, FILES, LINKS, PATCHES, TREE, Call
from tests.kit.opencode import PATCH_MODEL
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.permission_desk import PermissionDesk
from tests.kit.remote_truth import RemoteTruth

AT_ONCE = 12
ASK = {"permission": {"*": "ask"}, "snapshot": False, "lsp": False, "formatter": False}
NO_SHELL = b"#!/bin/sh\nexit 0\n"
"""What commands are run in: nothing that is asked for really happens."""

Requests = list[dict[str, Any]]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("every", [16, pytest.param(1, marks=pytest.mark.whole)], ids=["sample", "all"])
def test_every_call_asks_for_what_the_built_in_tool_asks_for(
    make_home: MakeHome,
    remote: Remote,
    settings: dict[str, str],
    workdir: str,
    truth: RemoteTruth,
    tmp_path: Path,
    every: int,
) -> None:
    """Issue 3, point 2. Every request is answered "once"; nothing else is ever allowed. Titles are compared as well:
    the workdir is a folder below the top of the git work tree, from where paths are shown and asked for.

    Args:
        every: of the commands, which are many, each so-many-th is played; of the others half of them then.
    """
    local = tmp_path / "local"
    _fill_local(local)
    _fill_remote(truth, workdir)
    theirs_home = make_home(config={**ASK, "shell": str(local / "no-shell")})
    work = {"REMOTE_WORKDIR": f"{workdir}/repo/sub", "REMOTE_SHELL": f"{workdir}/no-shell"}
    ours_home = make_home(config=ASK, environment=settings | work)
    different = [call for cases in DIFFERENT.values() for call in cases]
    others = [*FILES, *PATCHES][:: 1 if every == 1 else 2]
    wanted = [*COMMANDS[::every], *others, *different]
    with OpenCodeServe(theirs_home, folder=local / "repo" / "sub") as server:
        theirs = _play(server, wanted, str(local), str(theirs_home.home))
    with OpenCodeServe(ours_home, launcher=LAUNCH) as server:
        ours = _play(server, wanted, workdir, str(remote.server.home))
    same = len(wanted) - len(different)
    wrong = [
        f"{call}\n  built-in {json.dumps(a, ensure_ascii=False)}\n  ours     {json.dumps(b, ensure_ascii=False)}"
        for call, a, b in list(zip(wanted, theirs, ours, strict=True))[:same]
        if a[0] != b[0] or (a[1] and b[1] and a[1] != b[1])
    ]
    assert not wrong, f"{len(wrong)} of {same}:\n" + "\n".join(wrong)
    assert sum(len(requests) for requests, _ in theirs[:same]) >= same  # the comparison was one
    alike = [call for call, a, b in list(zip(wanted, theirs, ours, strict=True))[same:] if a[0] == b[0]]
    assert not alike, f"named as a difference, and is none: {alike}"
    assert set(DIFFERENT) <= {row.name for row in DIFFERENCES}


def _play(server: OpenCodeServe, wanted: Sequence[Call], root: str, home: str) -> list[tuple[Requests, str]]:
    """What each call asked for, in order, and its title if it completed, with the two folders mapped to their names."""
    asked: list[tuple[Requests, str]] = []
    with PermissionDesk(server) as desk:
        for model, some in _batches(wanted):
            session = server.session()
            made = [ToolCall(tool, json.loads(_replaced(arguments, ("ROOT", root)))) for tool, arguments in some]
            uses = server.message(session, [calls(*made), say("done")], model=model)
            assert len(uses) == len(some), (server.said, uses)
            for use in uses:
                requests = [_request(one) for one in desk.of_call(use.call_id)]
                requests, title = json.loads(_replaced([requests, use.title], (root, "ROOT"), (home, "HOME")))
                asked.append((requests, title))
    return asked


def _batches(wanted: Sequence[Call]) -> list[tuple[str, list[Call]]]:
    """Calls that may be made at once, and the model that has their tools."""
    batches: list[tuple[str, list[Call]]] = []
    for call in wanted:
        model = PATCH_MODEL if call[0] == "apply_patch" else MODEL_ID
        changes = call[0] in ("write", "edit", "apply_patch")
        if changes or not batches or batches[-1][0] != model or len(batches[-1][1]) == AT_ONCE:
            batches.append((model, []))
        batches[-1][1].append(call)
    return batches


def _request(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: asked[name] for name in ("permission", "patterns", "always", "metadata")}


def _replaced(value: Any, *names: tuple[str, str]) -> str:
    text = json.dumps(value, ensure_ascii=False)
    for old, new in names:
        text = text.replace(old, new)
    return text


def _fill_local(root: Path) -> None:
    for name, content in TREE.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    (root / "no-shell").write_bytes(NO_SHELL)
    (root / "no-shell").chmod(0o755)
    subprocess.run(["git", "init", "-q", str(root / "repo")], check=True)


def _fill_remote(truth: RemoteTruth, root: str) -> None:
    for name, content in TREE.items():
        truth.write(f"{root}/{name}", content.encode())
    for name, target in LINKS.items():
        truth.run(f"ln -s {target} {root}/{name}")
    truth.write(f"{root}/no-shell", NO_SHELL, 0o755)
    truth.run(f"git init -q {root}/repo")
