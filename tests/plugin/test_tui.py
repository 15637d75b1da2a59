"""The badge's text, and that its module changes nothing where OpenCode's interface is not there (D14)."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from tests.plugin.kit import PLUGIN, node


def evaluate(script: str, *, remote: str = "somewhere") -> Any:
    """What a script, which sees `badge.js` and `tui`, returns."""
    imports = [f"import {{ badge, badgeText, cause, notice }} from {json.dumps((PLUGIN / 'badge.js').as_uri())}"]
    imports.append(f"import plugin from {json.dumps((PLUGIN / 'tui.js').as_uri())}")
    text = "\n".join([*imports, "const answer = await (async () => {", script, "})()"])
    text += "\nconsole.log(JSON.stringify(answer ?? null))"
    ran = subprocess.run(
        [node(), "--input-type=module", "--eval", text],
        env={**os.environ, "REMOTE_SSH": remote},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


def shown(host: Any, path: Any, limit: int) -> str:
    return evaluate(f"return badgeText({json.dumps({'host': host, 'path': path})}, {limit})")


@pytest.mark.parametrize(
    ("host", "path", "limit", "text"),
    [
        ("me@box:2222", "~/src", 40, "Remote: me@box:2222 ~/src"),
        ("me@box", "/srv/app", 23, "Remote: me@box /srv/app"),  # just fits
        ("me@box", "/a/rather/long/path/to/app", 30, "Remote: me@box …ng/path/to/app"),
        ("someone@a.long.host.name", "/a/rather/long/path/to/app", 30, "Remote: someone@… …path/to/app"),
        ("someone@a.long.host.name", "~", 24, "Remote: someone@a.lon… ~"),
        ("box", "", 40, "Remote: box"),
        ("box", None, 40, "Remote: box"),
        ("", "/srv", 40, ""),
        (7, "/srv", 40, ""),
        ("box", "/a\x1b[2Jb\nc\u202ed", 40, "Remote: box /a?[2Jb?c?d"),
        ("box", "/日本語", 40, "Remote: box /日本語"),
    ],
)
def test_the_text(host: Any, path: Any, limit: int, text: str) -> None:
    assert shown(host, path, limit) == text


@pytest.mark.parametrize("limit", [-5, 0, 1, 9, 15])
def test_no_width_is_too_small(limit: int) -> None:
    assert shown("someone@host", "/a/rather/long/path", limit).startswith("Remote: ")


@pytest.mark.parametrize("api", ["undefined", "null", "{}", "{ slots: {} }", "{ slots: { register: 5 } }"])
@pytest.mark.parametrize("options", ["undefined", "null", '{ host: "box" }'])
def test_an_unknown_interface_gets_no_badge_and_no_error(api: str, options: str) -> None:
    assert evaluate(f"return [plugin.id, await plugin.tui({api}, {options})]") == ["pybridge", None]


ASKED = "let asked = 0; await plugin.tui({ get slots() { asked += 1; return {} } }, {}); return asked"


def test_without_remote_ssh_nothing_is_registered() -> None:
    assert evaluate(ASKED) == 1
    assert evaluate(ASKED, remote="") == 0


@pytest.mark.parametrize(
    ("state", "text", "tone"),
    [
        ("connecting", "● Remote: box ~ · connecting", "warning"),
        ("ready", "● Remote: box ~", "success"),
        ("reconnecting", "● Remote: box ~ · reconnecting", "warning"),
        ("lost", "● Remote: box ~ · lost", "error"),
        ("failed", "● Remote: box ~ · failed", "error"),
        ("silent", "● Remote: box ~ · no answer", "error"),
    ],
)
def test_the_state_is_a_word_and_a_colour(state: str, text: str, tone: str) -> None:
    pieces = evaluate(f"return badge({{ host: 'box', path: '~' }}, {{ state: '{state}' }}, 60)")
    assert ("".join(piece["text"] for piece in pieces), pieces[0]["tone"]) == (text, tone)


def test_the_name_is_shortened_and_the_state_is_not() -> None:
    pieces = evaluate("return badge({ host: 'someone@a.long.host', path: '/srv/app' }, { state: 'reconnecting' }, 40)")
    assert "".join(piece["text"] for piece in pieces) == "● Remote: someo… /srv/app · reconnecting"
    pieces = evaluate("return badge({ host: 'box', path: '~' }, { state: 'ready' }, 40, { always: true })")
    assert "".join(piece["text"] for piece in pieces) == "● Remote: box ~ · ready"


def test_there_is_a_notice_only_where_something_is_wrong() -> None:
    script = """return ["connecting", "ready", "reconnecting", "lost", "failed", "silent"].map(
        (state) => notice({ host: "box" }, { state, error: "It broke.\\nDo\\u001b[2J this." }))"""
    said = {"title": "Remote box: ", "message": "It broke.\nDo?[2J this."}
    assert evaluate(script) == [None] * 3 + [
        {**said, "title": said["title"] + word} for word in ("lost", "failed", "no answer")
    ]


def test_the_cause_is_one_line() -> None:
    script = """return [{ state: "ready" }, { state: "lost", error: "It\\u001b broke.\\nDo this." }].map(cause)"""
    assert evaluate(script) == ["", "It? broke."]


def test_a_window_onto_a_server_elsewhere_has_no_badge() -> None:
    assert evaluate(f'process.argv = [process.argv[0], "/opencode", "attach", "http://127.0.0.1:4096"]; {ASKED}') == 0
