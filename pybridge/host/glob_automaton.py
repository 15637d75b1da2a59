"""Matching a glob in time that grows with the path alone, whatever the glob is.

A regular expression tries every way to share a path out among the stars of a glob, which takes for ever where there
are many and none fits. Ignore files come from the remote, and a search waits for every path: so a glob with many stars
is matched by an automaton instead, whose states are made as paths need them (Thompson 1968).
"""

from __future__ import annotations

from collections.abc import Sequence

from pybridge.host.glob_pattern import Alternates, CharClass, Literal, Token, Wildcard

_EVERY = (1 << 256) - 1
_SLASH = 1 << 0x2F
_MOST_STATES = 2000
"""How many are remembered; then they are made anew."""


class GlobAutomaton:
    """Matches exactly the paths that `glob_regex` of the same tokens matches in full.

    Args:
        tokens: a parsed glob.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._steps: list[list[tuple[int, int]]] = []  # for each place: (set of bytes, place after)
        self._free: list[list[int]] = []  # for each place: places reached without a byte
        start = self._place()
        whole = list(tokens) == [Wildcard.ANY_DEPTH_PREFIX]
        self._end = self._loop(start, _EVERY) if whole else self._sequence(tokens, start)
        self._start = self._closed({start})
        self._after: dict[frozenset[int], dict[int, frozenset[int]]] = {}

    def fullmatch(self, path: bytes) -> bool:
        """Whether the glob is about this path."""
        state = self._start
        for byte in path:
            known = self._after.get(state)
            if known is None:
                if len(self._after) >= _MOST_STATES:
                    self._after.clear()
                known = self._after[state] = {}
            following = known.get(byte)
            if following is None:
                following = known[byte] = self._closed(
                    {target for place in state for chosen, target in self._steps[place] if chosen >> byte & 1}
                )
            if not following:
                return False
            state = following
        return self._end in state

    def _closed(self, places: set[int]) -> frozenset[int]:
        found, waiting = set(places), list(places)
        while waiting:
            for place in self._free[waiting.pop()]:
                if place not in found:
                    found.add(place)
                    waiting.append(place)
        return frozenset(found)

    def _place(self) -> int:
        self._steps.append([])
        self._free.append([])
        return len(self._steps) - 1

    def _step(self, start: int, chosen: int) -> int:
        end = self._place()
        self._steps[start].append((chosen, end))
        return end

    def _loop(self, start: int, chosen: int) -> int:
        """Any number of the bytes `chosen`."""
        end = self._place()
        self._free[start].append(end)
        self._steps[end].append((chosen, end))
        return end

    def _sequence(self, tokens: Sequence[Token], start: int) -> int:
        for token in tokens:
            start = self._token(token, start)
        return start

    def _token(self, token: Token, start: int) -> int:
        if isinstance(token, Literal):
            return self._step(start, 1 << token.byte)
        if isinstance(token, CharClass):
            return self._step(start, _bytes_of(token))
        if isinstance(token, Alternates):
            choices = [choice for choice in token.choices if not _is_empty(choice)]
            return self._joined([self._sequence(choice, start) for choice in choices]) if choices else start
        match token:
            case Wildcard.ANY:
                return self._step(start, _EVERY ^ _SLASH)
            case Wildcard.STAR:
                return self._loop(start, _EVERY ^ _SLASH)
            case Wildcard.ANY_DEPTH_PREFIX:
                deep = self._step(self._loop(start, _EVERY), _SLASH)
                return self._joined([start, deep])
            case Wildcard.ANY_DEPTH_SUFFIX:
                return self._loop(self._step(start, _SLASH), _EVERY)
            case Wildcard.ANY_DEPTH:
                slash = self._step(start, _SLASH)
                return self._joined([slash, self._step(self._loop(slash, _EVERY), _SLASH)])

    def _joined(self, ends: Sequence[int]) -> int:
        end = self._place()
        for place in ends:
            self._free[place].append(end)
        return end


def freedom(tokens: Sequence[Token]) -> int:
    """In how many places a regular expression for the glob has a choice."""
    total = groups = 0
    for token in tokens:
        if isinstance(token, Alternates):
            groups += 1
            total += sum(freedom(choice) for choice in token.choices)
        elif isinstance(token, Wildcard) and token is not Wildcard.ANY:
            total += 1
    return total + max(0, groups - 1)  # a single group is tried once, from where it stands


def _bytes_of(token: CharClass) -> int:
    chosen = 0
    for low, high in token.ranges:
        chosen |= (1 << high + 1) - (1 << low)
    return _EVERY ^ chosen if token.negated else chosen


def _is_empty(tokens: Sequence[Token]) -> bool:
    return all(isinstance(token, Alternates) and all(map(_is_empty, token.choices)) for token in tokens)
