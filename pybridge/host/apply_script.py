"""The script of a compare-and-swap request (see `applying.py`): everything is staged, compared, and only then replaced.

What is looked at of several files is looked at together, where the remote has the programs for it: starting a program
takes longer than what it does. Where something is not as it should be, one file after the other is looked at.
"""

from __future__ import annotations

import base64
import itertools
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from pybridge.host.applying import Step
from pybridge.host.facts import Facts
from pybridge.host.framing import quote
from pybridge.host.model import ABSENT, FileVersion

_MOST_TOGETHER = 50
_MOST_BYTES_TOGETHER = 32 * 1024
"""Of paths that one program is given: every system takes more."""

_AT_ONCE = 4
"""Programs that run side by side."""

_NOT_PLAIN = re.compile(rb"[^\t\n\x20-\x7e]")
_MOST_AT_ONCE = 32 * 1024
"""Bytes of text that `printf` is given."""

Numbered = tuple[int, Step]


def apply_script(steps: Sequence[Step], facts: Facts) -> str:
    """The request's script for `steps`; all of them are made or none."""
    several = len(steps) > 1
    numbered = list(enumerate(steps))
    written = [(i, s) for i, s in numbered if s.change.content is not None]
    lines = [*_opening(numbered, facts), *_guard(numbered)]
    for index, step in written:
        lines += _stage(index, step, facts, keep=not several)
    lines += _staged_together(written) if several else []
    compare = [*_prepare(written, several=several), *_compare(numbered)]
    lines += compare if several else _alone(*numbered[0], step_by_step=compare)
    lines.append(_if_conflict("C"))
    lines += _replace_together(numbered) if several else _replace(numbered, several=False)
    lines += _look_at_replaced(written) if several else []
    for group in _groups(numbered):
        lines.append("pb_clear " + " ".join(f'"$T{i}" "$T{i}-old" "$T{i}-was"' for i, _ in group))
    for index, step in numbered:
        if step.creates:
            lines.append(f'S=$N{index}; [ -n "$S" ] || pb_stat "$L{index}"; printf \'made %s %s\\n\' {index} "$S"')
    lines.append("printf 'done\\n'")
    return "\n".join(lines)


def encode_content(content: bytes, facts: Facts) -> str:
    """`content` in the form the remote's decoder reads from a heredoc."""
    if facts.decoder != "pb_octal":
        return base64.encodebytes(content).decode("ascii").rstrip("\n")
    escapes = [f"\\{byte:03o}" for byte in content]
    return "\n".join("".join(escapes[i : i + 60]) for i in range(0, len(escapes), 60))


def _opening(numbered: Sequence[Numbered], facts: Facts) -> list[str]:
    """What every step needs: its variables, and how all are taken back."""
    # The last one goes first: folders may lie in those made before.
    backwards = list(reversed(numbered))
    undo = [f'pb_undo {i} "$P{i}" "$L{i}" $V{i}' for i, s in backwards]
    undo += [f"pb_rmdir {i} {quote(posixpath.dirname(s.real))}" for i, s in backwards if s.creates]
    # The remote's environment may hold variables of these names.
    unset = " ".join(f"{name}{i}=" for i, _ in numbered for name in "GHJKMNOTWX")
    # What was uploaded ahead of the request has made its folders already.
    uploaded = "".join(f" T{i}={quote(s.uploaded)} G{i}={quote(s.top)}" for i, s in numbered if s.uploaded is not None)
    # Paths and digests are sent once, however often they are used: a server may take only 24 KB before it answers.
    paths = [
        f"P{i}={quote(s.change.path)} L{i}={f'$P{i}' if s.real == s.change.path else quote(s.real)}"
        f" E{i}={_digest(s.change.expected)} V{i}={_digest(s.version)}"
        for i, s in numbered
    ]
    # A dead link must not stop a rollback half-way.
    return [f"{facts.settings} C= F= {unset}{uploaded}", *paths, "trap '' HUP PIPE", "pb_abort() {", *undo, "}"]


def _guard(numbered: Sequence[Numbered]) -> list[str]:
    """Define the comparison, and see that nothing of ours goes into a folder that has become another one."""
    lines = ["pb_check_all() {"]
    singly = [(i, s) for i, s in numbered if s.change.expected == ABSENT]
    for group in _groups((i, s) for i, s in numbered if s.change.expected != ABSENT):
        if len(group) == 1:
            singly += group
            continue
        leads = "\n".join(f"$L{i}" for i, _ in group)
        asked, real = (" ".join(f'"${name}{i}"' for i, _ in group) for name in "PL")
        held = _digests("E", group)
        lines.append(f'pb_lead "{leads}" {asked} && pb_hold "{held}" {real} || {{')
        lines += [_check(i, s) for i, s in group]
        lines.append("}")
    lines += [*(_check(i, s) for i, s in singly), ":", "}"]
    folders = {posixpath.dirname(step.real) for _, step in numbered if step.change.content is not None}
    lines += [f"pb_same {quote(folder)}" for folder in sorted(folders)]
    lines.append(f'if [ -n "$F" ]; then pb_check_all; [ -n "$C" ] || C=" 0"; fi; {_if_conflict("F")}')
    return lines


def _compare(numbered: Sequence[Numbered]) -> list[str]:
    """The comparison with what is there; of an only file that is replaced, its staged content is looked at too."""
    ((index, step), *others) = numbered
    if others or step.change.content is None or step.change.expected == ABSENT:
        return ["pb_check_all"]
    both = f'pb_hold " $V{index} $E{index}" "$T{index}" "$L{index}"'
    return [
        f'pb_real "$P{index}"',
        f'[ "$R" = "$L{index}" ] && {both} || {{',
        "pb_check_all",
        # What was made of a file that has changed meanwhile did not arrive otherwise than it was sent.
        f'[ -n "$C" ] || pb_staged {index} "$T{index}" $V{index}',
        "}",
    ]


def _check(index: int, step: Step) -> str:
    return f'pb_check {index} "$P{index}" "$L{index}" $E{index}'


def _if_conflict(variable: str) -> str:
    return f'if [ -n "${variable}" ]; then printf \'conflict%s\\n\' "$C"; pb_abort; exit 0; fi'


def _alone(index: int, step: Step, step_by_step: list[str]) -> list[str]:
    """The comparison of an only change, and what goes before it."""
    if step.change.content is None:
        return step_by_step
    if step.change.expected == ABSENT:
        return [*step_by_step[:-1], f"pb_verify_new {index}", *step_by_step[-1:]]
    return [f"pb_alone {index} || {{", *step_by_step, "}"]


def _stage(index: int, step: Step, facts: Facts, *, keep: bool) -> list[str]:
    """Have the temporary made.

    Args:
        keep: keep what it is to replace meanwhile.
    """
    lines: list[str] = []
    folder = quote(posixpath.dirname(step.real).rstrip("/"))
    keeping = [f"pb_keep {index} {folder}"] if keep and step.change.expected != ABSENT else []
    if step.creates:
        lines.append(f"pb_mkdir {index} {quote(posixpath.dirname(step.real))} {step.umask:o} {quote(step.root)}")
    if step.uploaded is not None:
        return [*lines, *keeping]
    elsewhere = quote("" if step.elsewhere is None or step.creates else step.elsewhere)
    lines += _content(index, step, facts)
    place = f"{index} {quote(step.temporary)} {elsewhere} {step.creation_umask}"
    return [*lines, *([f"pb_place {place}", *keeping, f"pb_fill {index}"] if keeping else [f"pb_stage {place}"])]


def _content(index: int, step: Step, facts: Facts) -> list[str]:
    """The function that writes it. What is there already is taken from there; it is verified with all the rest."""
    kept = step.difference
    if kept is None:
        return ["pb_content() {", *_sent(step.sent, facts), "}"]
    lines = [f'head -c {kept.before} "$L{index}"'] if kept.before else []
    lines += _sent(kept.new, facts) if kept.new else []
    lines += [f'tail -c {kept.after} "$L{index}"'] if kept.after else []
    return ["pb_content() {", *lines, "}"]


def _sent(content: bytes, facts: Facts) -> list[str]:
    """What writes a content that is sent. Plain text is written by the shell itself: no program is started for it.

    A program would show it to everybody, in the list of processes.
    """
    if not facts.own_printf or _NOT_PLAIN.search(content):
        return ["$PB_DEC <<'PB_END'", encode_content(content, facts), "PB_END"]
    pieces = [content[i : i + _MOST_AT_ONCE].decode("ascii") for i in range(0, len(content), _MOST_AT_ONCE)]
    return [f"printf %s {quote(piece)}" for piece in pieces or [""]]


def _staged_together(written: Sequence[Numbered]) -> Iterator[str]:
    for group in _groups(written):
        files = " ".join(f'"$T{i}"' for i, _ in group)
        yield f'pb_hold "{_digests("V", group)}" {files} || {{'
        if any(step.difference is not None for _, step in group):
            yield from ("pb_check_all", _if_conflict("C"))
        yield from (f'pb_staged {i} "$T{i}" $V{i}' for i, s in group)
        yield "}"


def _prepare(written: Sequence[Numbered], *, several: bool) -> Iterator[str]:
    replacing = [(i, s) for i, s in written if s.change.expected != ABSENT]
    yield from _stats("O", "L", replacing) if several else ()
    for some in _split(written):
        for index, step in some:
            mode = "-" if step.creation_umask else f"{step.mode:o}"
            folder = quote(posixpath.dirname(step.real).rstrip("/"))
            yield f'pb_prepare {index} "$L{index}" $E{index} {mode} {folder}'
        yield f"pb_copied {_numbers(some)}"
    yield from _stats("N", "T", replacing) if several else ()
    yield from (f"pb_prepared {i}" for i, _ in replacing)


def _replace(numbered: Iterable[Numbered], *, several: bool) -> Iterator[str]:
    for index, step in numbered:
        if step.change.content is None:
            yield f'pb_remove {index} "$P{index}" {quote(step.temporary)} $E{index}'
        else:
            yield f'pb_put {index} "$L{index}" $E{index} $V{index} {several:d}'


def _replace_together(numbered: Sequence[Numbered]) -> Iterator[str]:
    """Side by side where no two of them can be one file by two names: such have been found to hold the same."""
    times = Counter(step.change.expected for _, step in numbered)

    def together(one: Numbered) -> bool:
        expected = one[1].change.expected
        return one[1].change.content is not None and (expected == ABSENT or times[expected] == 1)

    for side_by_side, some in itertools.groupby(numbered, together):
        if side_by_side:
            yield from (f"pb_put_together {_numbers(few)}" for few in _split(list(some)))
        else:
            yield from _replace(some, several=True)


def _split(numbered: Sequence[Numbered]) -> Iterator[Sequence[Numbered]]:
    return (numbered[at : at + _AT_ONCE] for at in range(0, len(numbered), _AT_ONCE))


def _numbers(numbered: Iterable[Numbered]) -> str:
    return " ".join(str(index) for index, _ in numbered)


def _stats(variable: str, of: str, replacing: Sequence[Numbered]) -> Iterator[str]:
    for group in _groups(replacing):
        files = " ".join(f'"${of}{i}"' for i, _ in group)
        yield f"pb_stats {variable} '{' '.join(str(i) for i, _ in group)}' {files}"


def _look_at_replaced(written: Sequence[Numbered]) -> Iterator[str]:
    for group in _groups((i, s) for i, s in written if s.change.expected != ABSENT):
        files = " ".join(f'"$T{i}-was"' for i, _ in group)
        yield f'pb_hold "{_digests("E", group)}" {files} || {{'
        yield from (f"pb_replaced {i} $E{i}" for i, s in group)
        yield "}"


def _groups(numbered: Iterable[Numbered]) -> Iterator[list[Numbered]]:
    """Those that one program can be asked about together."""
    group: list[Numbered] = []
    size = 0
    for index, step in numbered:
        paths = (step.change.path, step.real, *step.temporaries, step.uploaded or "")
        if any("\n" in path or "\\" in path for path in paths):
            yield [(index, step)]
            continue
        longest = max(len(path.encode("utf-8", "surrogateescape")) for path in paths)
        if len(group) == _MOST_TOGETHER or size + 3 * longest > _MOST_BYTES_TOGETHER:
            yield group
            group, size = [], 0
        group.append((index, step))
        size += 3 * longest
    if group:
        yield group


def _digest(version: FileVersion) -> str:
    return "absent" if version == ABSENT else version.digest.partition(":")[2]


def _digests(variable: str, group: Sequence[Numbered]) -> str:
    return "".join(f" ${variable}{i}" for i, _ in group)
