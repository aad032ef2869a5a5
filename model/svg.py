"""Plots as SVG text, written by hand: plain charts need no plotting library."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def draw_picture(width: int, height: int, marks: Iterable[str]) -> str:
    """Return a picture of a size in pixels on white ground, one mark a line."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" font-family="system-ui, sans-serif" font-size="12">\n'
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(marks) + "\n</svg>\n"
    )


def draw_text(x: float, y: float, text: str, *, anchor: str = "start", ink: str = "#222") -> str:
    """Return the mark of a text, which may come from outside; x and y of its anchor's foot."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{ink}">{escape(text)}</text>'
    )
