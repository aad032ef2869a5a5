"""Small grammar: slots, articles, capitals and sizes, so that the tables need not spell every form.

A size is written once and reused, letter by letter, in findings and impression.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from model.synth.lexicon import Style

MM_PER_CM = 10
_ARTICLE = re.compile(r"\b([Aa])n? (?=(\S+))")
# Said with a vowel: "an acute", "an 8 mm", "an 11 mm", "an 18 mm".
_VOWEL = re.compile(r"[aeiouAEIOU]|8|1[18](?!\d)")


@dataclass(frozen=True, slots=True)
class Size:
    """A measurement as written, and its largest diameter in mm."""

    text: str
    mm: int


def filled(template: str, values: Mapping[str, str]) -> str:
    """Fill the slots and put every article right."""
    return _ARTICLE.sub(_article, template.format_map(values))


def capitalised(text: str) -> str:
    """The same text with a capital at its start."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """The same text with a capital at its start and one full stop at its end."""
    return capitalised(text).rstrip(".") + "."


def drawn_size(rng: random.Random, bounds: tuple[int, int], style: Style, *, area: bool) -> Size:
    """Draw a size and write it as the site does.

    Args:
        rng: The report's own source of chance.
        bounds: Smallest and largest diameter in mm, both possible.
        style: Chooses mm or cm; under 10 mm it is always mm.
        area: Whether a second diameter may follow ("2.3 x 1.1 cm").

    Returns:
        The size; ``mm`` is exact for the text.
    """
    mm = rng.randint(*bounds)
    unit = style.unit if style.unit != "mixed" else rng.choice(("mm", "cm"))
    unit = unit if mm >= MM_PER_CM else "mm"
    diameters = [mm]
    if area and rng.randrange(4) == 0:
        diameters.append(rng.randint(max(2, mm // 2), mm))
    return Size(" x ".join(_number(diameter, unit) for diameter in diameters) + f" {unit}", mm)


def _number(mm: int, unit: str) -> str:
    return str(mm) if unit == "mm" else f"{mm / MM_PER_CM:.1f}"


def _article(found: re.Match[str]) -> str:
    return f"{found[1]}n " if _VOWEL.match(found[2]) else f"{found[1]} "
