"""Which sites can both know one sender: the one that is tried first takes it."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mappings.sites import DEFAULT_SITE

if TYPE_CHECKING:
    from mappings.sites import Site, SiteSet

_PIECE = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)


class Overlap(NamedTuple):
    """Two sites that can know the same sender; ``first`` takes it."""

    first: str
    second: str


def find_overlaps(sites: SiteSet) -> list[Overlap]:
    """Return each pair of sites that can know one sender; the default's is no overlap."""
    own = [site for site in sites.sites if site.name != DEFAULT_SITE.name]
    return [
        Overlap(first.name, second.name)
        for number, first in enumerate(own)
        for second in own[number + 1 :]
        if _can_share(first, second)
    ]


def _can_share(one: Site, other: Site) -> bool:
    doors = [site.doors or ("*",) for site in (one, other)]
    pairs = [(one.applications, other.applications), (one.facilities, other.facilities), doors]
    return all(any(can_both_match(a, b) for a in left for b in right) for left, right in pairs)


def can_both_match(one: str, other: str) -> bool:
    """Say whether some text fits both shell patterns; two sets of letters are taken to meet."""
    left, right = _PIECE.findall(one), _PIECE.findall(other)

    @cache
    def meet(at: int, to: int) -> bool:
        if at == len(left) or to == len(right):
            return all(piece == "*" for piece in (*left[at:], *right[to:]))
        if left[at] == "*":
            return meet(at + 1, to) or meet(at, to + 1)
        if right[to] == "*":
            return meet(at, to + 1) or meet(at + 1, to)
        return _share_letter(left[at], right[to]) and meet(at + 1, to + 1)

    return meet(0, 0)


def _share_letter(one: str, other: str) -> bool:
    if len(one) == 1 and one != "?":
        return fnmatchcase(one, other)
    return not (len(other) == 1 and other != "?") or fnmatchcase(other, one)
