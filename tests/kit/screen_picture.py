"""A terminal's screen as an SVG picture, made of nothing but what the screen holds."""

from __future__ import annotations

from html import escape
from itertools import groupby

import pyte
from pyte.screens import Char

_WIDTH, _HEIGHT, _SIZE = 8.4, 18, 14
_INK, _PAPER = "#eeeeee", "#0a0a0a"
_NAMED = {
    **{"black": "#000000", "red": "#cd3131", "green": "#0dbc79", "brown": "#e5e510", "blue": "#2472c8"},
    **{"magenta": "#bc3fbc", "cyan": "#11a8cd", "white": "#e5e5e5"},
}


def svg(screen: pyte.Screen, title: str) -> str:
    """The picture.

    Args:
        screen: what to draw.
        title: for those who cannot see it.
    """
    width, height = screen.columns * _WIDTH, screen.lines * _HEIGHT
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width:g}" height="{height:g}" fill="{_PAPER}"/>',
        f'<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="{_SIZE}" xml:space="preserve">',
    ]
    for row in range(screen.lines):
        characters = [screen.buffer[row][column] for column in range(screen.columns)]
        drawn += _backgrounds(row, characters)
        drawn += _texts(row, characters)
    return "\n".join([*drawn, "</g>", "</svg>", ""])


def _backgrounds(row: int, characters: list[Char]) -> list[str]:
    runs = groupby(enumerate(characters), key=lambda item: _colours(item[1])[1])
    return [
        f'<rect x="{cells[0][0] * _WIDTH:g}" y="{row * _HEIGHT}" width="{len(cells) * _WIDTH:g}" height="{_HEIGHT}" '
        f'fill="{paper}"/>'
        for paper, cells in ((paper, list(run)) for paper, run in runs)
        if paper != _PAPER
    ]


def _texts(row: int, characters: list[Char]) -> list[str]:
    def look(item: tuple[int, Char]) -> tuple[str, bool, bool]:
        return (_colours(item[1])[0], item[1].bold, item[1].data.strip() == "")

    drawn = []
    for (ink, bold, blank), run in groupby(enumerate(characters), key=look):
        cells = list(run)
        if blank:
            continue
        text = escape("".join(character.data for _, character in cells))
        weight = ' font-weight="bold"' if bold else ""
        drawn.append(
            f'<text x="{cells[0][0] * _WIDTH:g}" y="{row * _HEIGHT + 14}" textLength="{len(cells) * _WIDTH:g}" '
            f'fill="{ink}"{weight}>{text}</text>'
        )
    return drawn


def _colours(character: Char) -> tuple[str, str]:
    ink, paper = _colour(character.fg, _INK), _colour(character.bg, _PAPER)
    return (paper, ink) if character.reverse else (ink, paper)


def _colour(name: str, default: str) -> str:
    if name == "default":
        return default
    return _NAMED.get(name.removeprefix("bright"), f"#{name}")
