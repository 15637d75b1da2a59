"""Scripted cases of bash."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.conformance.case import FOLDER, HERE, REL, Answer, Case, Content, Step, case

TIMEOUT = 4000
"""Milliseconds: long enough for a shell to have begun on a busy machine."""


def bash(command: str, **more: Any) -> Step:
    return Step("bash", {"command": command, **more})


def _one(id: str, command: str, files: Mapping[str, Content] | None = None, **more: Any) -> Case:
    return case(f"bash-{id}", bash(command, **{"workdir": HERE, **more}), files=files)


def _kept(so_far: Sequence[Answer]) -> str:
    """The path that the last answer says the whole output was saved to."""
    found = re.search(r"Full output saved to: (\S+)", so_far[-1].output)
    return found[1] if found else ""


CASES: tuple[Case, ...] = (
    case("bash-workdir", bash("pwd")),
    _one("both-streams", "echo out; sleep 1; echo err >&2; sleep 1; echo out again"),
    _one("no-output", "true"),
    _one("no-newline", "printf 'no newline'"),
    _one("only-newlines", "printf '\\n\\n'"),
    _one("stdin", "cat; read line || echo 'nothing to read'"),
    _one("relative-workdir", "pwd", {"sub": FOLDER}, workdir=f"{REL}/sub"),
    _one("description", "echo hi", description="Says hi"),
    _one("several-lines", "echo a\necho b"),
    _one("fresh-shell", "cd / && X=1; pwd; echo $X"),
    case("bash-nothing-stays", bash("cd /; export X=1"), bash('pwd; echo "[$X]"')),
    _one("shell", '[ -n "$BASH_VERSION" ] && echo bash; [[ a == a ]] && echo two'),
    _one("not-a-terminal", "[ -t 0 ] || [ -t 1 ] || [ -t 2 ] || echo none"),
    _one("unicode", "printf '\\303\\251\\342\\202\\254\\360\\237\\230\\200\\n'"),
    _one("split-character", "printf '\\303'; sleep 0.3; printf '\\251\\n'"),
    _one("bad-utf-8", "printf 'caf\\351\\n'"),
    _one("cr", "printf 'a\\rb\\r\\nc\\n'"),
    _one("colours", "printf '\\033[31mred\\033[0m\\n'"),
    _one("nul", "printf 'a\\000b\\n'"),
    _one("exit-1", "echo out; exit 1"),
    _one("exit-without-output", "exit 7"),
    _one("not-found", "no-such-command-here"),
    _one("signal", "echo out; kill -9 $$", timeout=TIMEOUT),
    _one("syntax-error", "if then"),
    _one("background", "sleep 0.2 & echo begun"),
    _one("timeout", "echo begun; sleep 9", timeout=TIMEOUT),
    _one("timeout-without-output", "sleep 9", timeout=TIMEOUT),
    _one("timeout-large-enough", "sleep 0.2; echo done", timeout=60_000),
    _one("missing-workdir", "touch ran", workdir=f"{HERE}/none"),
    _one("workdir-is-a-file", "touch ran", {"f": b""}, workdir=f"{HERE}/f"),
    _one("writes", "mkdir d; echo x > d/f; chmod 600 d/f; ln -s f d/l; umask"),
    _one("lines-2000", "seq 1 1999"),
    _one("lines-2001", "seq 1 2000"),
    _one("lines-many", "seq 1 5000"),
    _one("bytes-at-limit", "head -c 51200 /dev/zero | tr '\\0' a"),
    _one("bytes-beyond", "head -c 51201 /dev/zero | tr '\\0' a"),
    _one("bytes-wide", "for i in $(seq 1 30000); do printf '\\342\\202\\254'; done"),
    # The pause: on a loaded machine the built-in tool loses the end of what comes just before a command's own (seen).
    _one("bytes-many", "seq 1 200000; sleep 2"),
    _one("metadata-limit", "head -c 30000 /dev/zero | tr '\\0' a"),
    _one("metadata-beyond", "head -c 30001 /dev/zero | tr '\\0' a"),
    case(
        "bash-kept-output-read",
        bash("seq 1 5000"),
        Step("read", lambda so_far: {"filePath": _kept(so_far), "offset": 4000, "limit": 3}),
    ),
    case(
        "bash-kept-output-grep",
        bash("seq 1 5000"),
        Step("grep", lambda so_far: {"pattern": "^432.$", "path": _kept(so_far)}),
    ),
    _one("timeout-truncated", "seq 1 5000; sleep 9", timeout=TIMEOUT),
    _one("title-of-several-lines", "echo 'a\nb'"),
    _one("special-characters", "echo \"$(echo 'a  b')\" '' \\\\ `echo tick` {1..3}"),
    _one("pipe", "printf 'b\\na\\n' | sort | tr a-z A-Z"),
    _one("heredoc", "cat <<'EOF'\n$x\nEOF"),
    _one("empty", ""),
)
