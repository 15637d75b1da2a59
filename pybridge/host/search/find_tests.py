"""The rules of `ignore_rules` as tests for find(1), as near as POSIX find can come.

find has no `**` and its `*` crosses slashes, so some rules can only be told nearly. What is told nearly always lets
more through, never less; the exact rules are then applied to what comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pybridge.host.glob_pattern import CharClass, Literal, Token, Wildcard, expand_braces
from pybridge.host.ignore_line import IgnoreLine
from pybridge.host.search.ignore_rules import IgnoreFile, RuleSource, Visibility, ancestors
from pybridge.host.search.remote import quote

BRACE_LIMIT = 64
"""A glob whose braces expand to more is left to the exact rules."""

SCRIPT_LIMIT = 60_000
"""Bytes of tests; argument lists have an end (ARG_MAX), so rules beyond are left to the exact rules."""


@dataclass(frozen=True)
class FindTest:
    """A find expression, ready for the shell; `exact` when it is true for the very paths that the rule is about."""

    text: str
    exact: bool


ANYTHING = FindTest("-name '*'", False)


@dataclass(frozen=True)
class FileTests:
    """What follows `find .` to find the files a search sees: `prune` ends in `-o`, `wanted` is true for such files."""

    prune: str
    wanted: str
    exact: bool

    @property
    def text(self) -> str:
        """Both together."""
        return self.prune + self.wanted


def file_tests(visibility: Visibility) -> FileTests:
    """The rules of a search as find's tests."""
    exact = True
    skip: list[str] = []
    wanted: list[str] = []
    override = visibility.override
    positive = override if override is not None and not override.negated else None
    kept = _about(positive) if positive is not None else None
    if kept is not None:
        exact &= kept.exact
        wanted.append(kept.text)
    if override is not None and override.negated:
        dropped = _about(override)
        exact &= dropped.exact
        if dropped.exact:
            skip.append(dropped.text)
    ignored, rules_exact, spared = _ignore_tests(visibility)
    exact &= rules_exact
    hidden = "" if visibility.hidden else _all_of(["-name '.?*'", f"! {_any_of(spared)}" if spared else ""])
    passed_over = _any_of([ignored, hidden])
    if passed_over:
        skip.append(_all_of([f"! {kept.text}" if kept is not None else "", passed_over]))
    prune = "".join(f"! -name . {test} -prune -o " for test in skip)
    return FileTests(f"-type d -name .git -prune -o {prune}", " ".join(["-type f", *wanted]), exact)


def _about(rule: IgnoreLine, folder: bytes = b"") -> FindTest:
    """True for the paths a rule is about; `folder` (relative, with slash, or empty) is what the rule is relative to."""
    choices = expand_braces(rule.tokens, BRACE_LIMIT)
    if choices is None:
        test = ANYTHING
    else:
        tests = [_choice(tokens, folder) for tokens in choices]
        test = FindTest(_any_of([t.text for t in tests]), all(t.exact for t in tests))
    return FindTest(f"\\( -type d {test.text} \\)", test.exact) if rule.only_dir else test


def _choice(tokens: Sequence[Token], folder: bytes) -> FindTest:
    """One glob without braces."""
    sharp = all(_is_sharp(token) for token in tokens)
    below = f"-path {quote(b'./' + _literal(folder) + b'*')}" if folder else ""
    if list(tokens) == [Wildcard.ANY_DEPTH_PREFIX]:
        return FindTest(below or "-name '*'", True)
    last = max((i for i, token in enumerate(tokens) if _crosses_slash(token)), default=-1)
    head, joint, name = tokens[: max(last, 0)], tokens[last] if last >= 0 else None, tokens[last + 1 :]
    plain_head = all(isinstance(token, Literal) for token in head)
    if not name or not plain_head or _fnmatch(name) is None or joint == Wildcard.ANY_DEPTH_SUFFIX:
        return _nearly(tokens, folder)
    own_name = f"-name {quote(_fnmatch(name) or b'')}"
    if joint == Wildcard.ANY_DEPTH_PREFIX and not head:
        return FindTest(_all_of([below, own_name]), sharp)
    start = b"./" + _literal(folder) + (_fnmatch(head) or b"")
    if joint == Wildcard.ANY_DEPTH:
        return FindTest(_all_of([f"-path {quote(start + b'/*')}", own_name]), sharp)
    if joint is None or joint == Literal(0x2F):
        start += b"/" if joint is not None else b""
        if all(isinstance(token, Literal) for token in name):
            return FindTest(f"-path {quote(start + (_fnmatch(name) or b''))}", True)
        return FindTest(
            _all_of([f"-path {quote(start + b'*')}", f"! -path {quote(start + b'*/*')}", own_name]),
            sharp,
        )
    return _nearly(tokens, folder)


def _nearly(tokens: Sequence[Token], folder: bytes) -> FindTest:
    pattern = _fnmatch(tokens)
    start = b"./" + _literal(folder)
    return FindTest(f"-path {quote(start + (b'*' if pattern is None else pattern))}", False)


def _crosses_slash(token: Token) -> bool:
    if isinstance(token, Wildcard):
        return token not in (Wildcard.ANY, Wildcard.STAR)
    return token.may_be_slash if isinstance(token, CharClass) else token == Literal(0x2F)


def _fnmatch(tokens: Iterable[Token]) -> bytes | None:
    """The pattern for fnmatch(3) in the C locale that matches at least what the tokens do; None if there is none."""
    pattern = b""
    for token in tokens:
        if isinstance(token, Literal):
            pattern += _literal(bytes([token.byte]))
        elif token == Wildcard.ANY:
            pattern += b"?"
        elif token in (Wildcard.ANY_DEPTH, Wildcard.ANY_DEPTH_SUFFIX):
            pattern += b"/*"
        elif isinstance(token, CharClass):
            pattern += _bracket(token)
        elif isinstance(token, Wildcard):
            pattern += b"*"
        else:
            return None
    return pattern


def _is_sharp(token: Token) -> bool:
    """Whether `_fnmatch` says the same as the token: not for a class with members that have a meaning in brackets."""
    if not isinstance(token, CharClass):
        return True
    members = {byte for low, high in token.ranges for byte in range(low, high + 1)}
    return not members & set(b"]^!-[\\/") and all(byte < 0x80 for byte in members)


def _literal(text: bytes) -> bytes:
    return b"".join(b"\\" + bytes([byte]) if byte in b"*?[\\" else bytes([byte]) for byte in text)


def _bracket(token: CharClass) -> bytes:
    """A bracket expression, or `?` (more than the class) where its members have a meaning of their own in one."""
    if not _is_sharp(token):
        return b"?"
    spans = b"".join(bytes([low]) if low == high else bytes([low, 0x2D, high]) for low, high in token.ranges)
    return b"[" + (b"!" if token.negated else b"") + spans + b"]"


def _ignore_tests(visibility: Visibility) -> tuple[str, bool, list[str]]:
    """Tests for what the ignore files hide: (tests, exact, tests for what some rule expressly spares)."""
    chain: list[tuple[bool, FindTest]] = []
    exact = True
    for file in _strongest_first(visibility):
        folder = _relative_folder(file, visibility)
        for rule in reversed(file.rules):
            test = _seen_from_below(rule, file.folder, visibility.root) if folder is None else _about(rule, folder)
            if test is not None:
                chain.append((rule.negated, test))
    spared = [test.text for negated, test in chain if negated]
    if any(not test.exact for _, test in chain):
        exact = False
    nested = [_below(folder, visibility.root) for folder in visibility.repositories if folder != visibility.root]
    if any(place is not None for place in nested):
        exact = False
        chain = [(True, FindTest(f"-path {quote(b'./' + _literal(p) + b'*')}", False)) for p in nested if p] + chain
    # Leaving out a rule that hides lets more through: fine. One that spares must stay, so its test may be too wide.
    useful = [(negated, test) for negated, test in chain if negated or test.exact]
    while useful and sum(len(test.text.encode("utf-8", "surrogateescape")) + 12 for _, test in useful) > SCRIPT_LIMIT:
        exact = False
        hiding = [i for i, (negated, _) in enumerate(useful) if not negated]
        if not hiding:
            return "", False, []
        del useful[hiding[0]]
    tests = ""
    for negated, test in reversed(useful):
        if negated:
            tests = f"\\( ! {test.text} {tests} \\)" if tests else ""
        else:
            tests = f"\\( {test.text} -o {tests} \\)" if tests else test.text
    return tests, exact, spared


def _seen_from_below(rule: IgnoreLine, folder: bytes, root: bytes) -> FindTest | None:
    """A rule of a folder above the root; None if it can be about nothing below the root."""
    if rule.tokens[:1] == (Wildcard.ANY_DEPTH_PREFIX,):
        return _about(rule)
    way = [Literal(byte) for byte in root[len(folder.rstrip(b"/")) + 1 :] + b"/"]
    for at, wanted in enumerate(way):
        if at >= len(rule.tokens):
            return None
        if not isinstance(rule.tokens[at], Literal):
            return ANYTHING
        if rule.tokens[at] != wanted:
            return None
    rest = rule.tokens[len(way) :]
    return _about(replace(rule, tokens=rest)) if rest else None


def _strongest_first(visibility: Visibility) -> list[IgnoreFile]:
    """All ignore files that can matter, those of deeper folders first within one kind."""
    deepest_first = sorted(visibility.files, key=lambda file: (file.source, -len(list(ancestors(file.folder)))))
    # A .gitignore outside any repository says nothing.
    return [
        file
        for file in [*deepest_first, *visibility.everywhere]
        if file.source in (RuleSource.RGIGNORE, RuleSource.IGNORE)
        or any(above in visibility.repositories for above in ancestors(file.folder))
    ]


def _relative_folder(file: IgnoreFile, visibility: Visibility) -> bytes | None:
    """Where the file's rules start, relative to the root and with a slash; None for a folder above the root."""
    if file.folder == visibility.root or file.source == RuleSource.GLOBAL:
        return b""
    return _below(file.folder, visibility.root)


def _below(folder: bytes, root: bytes) -> bytes | None:
    start = root.rstrip(b"/") + b"/"
    return folder[len(start) :] + b"/" if folder.startswith(start) else None


def _any_of(tests: Sequence[str]) -> str:
    tests = [test for test in tests if test]
    return tests[0] if len(tests) == 1 else f"\\( {' -o '.join(tests)} \\)" if tests else ""


def _all_of(tests: Sequence[str]) -> str:
    tests = [test for test in tests if test]
    return tests[0] if len(tests) == 1 else f"\\( {' '.join(tests)} \\)" if tests else ""
