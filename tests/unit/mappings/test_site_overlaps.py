"""Which sites can know one sender."""

from __future__ import annotations

import pytest

from mappings.site_overlaps import Overlap, can_both_match, find_overlaps
from mappings.sites import Site, SiteSet


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("RIS", "RIS", True),
        ("RIS", "ris", False),
        ("RIS*", "RIS1", True),
        ("RIS*", "RIS", True),
        ("RIS?", "RIS", False),
        ("RIS?", "RIS1", True),
        ("*A", "B*", True),
        ("A*", "B*", False),
        ("A*C", "*B*", True),
        ("A[12]", "A2", True),
        ("A[12]", "A3", False),
        ("A[!2]", "A2", False),
        ("A[12]", "A[23]", True),
        ("A[*]", "AB", False),
        ("*", "", True),
        ("", "A", False),
        ("*a*a*a*a*a*b" * 8, "a" * 90, False),
    ],
)
def test_two_patterns_meet_where_some_name_fits_both(one: str, other: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert can_both_match(one, other) is expected
    assert can_both_match(other, one) is expected


def test_sites_overlap_where_sender_and_door_can_be_the_same() -> None:
    sites = SiteSet(
        (
            Site("default"),
            Site("a", applications=("RIS*",), listeners=("ct",)),
            Site("b", applications=("RIS1",), listeners=("c*",)),
            Site("e", applications=("RIS1",), topics=("ct",)),
            Site("c", applications=("RIS2",), listeners=("mr",)),
            Site("d", order=1, facilities=("ANNA",)),
        )
    )

    assert find_overlaps(sites) == [
        Overlap("d", "a"),
        Overlap("d", "b"),
        Overlap("d", "c"),
        Overlap("d", "e"),
        Overlap("a", "b"),
    ]
