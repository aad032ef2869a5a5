"""HL7 v2 times."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.hl7_time import parse_time

VIENNA = ZoneInfo("Europe/Vienna")


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2024", "2024"),
        ("202405", "2024-05"),
        ("20240501", "2024-05-01"),
        ("2024050110", "2024-05-01T10:00:00"),
        ("202405011030", "2024-05-01T10:30:00"),
        ("20240501103015", "2024-05-01T10:30:15"),
        ("20240501103015.1234", "2024-05-01T10:30:15.1234"),
        ("20240501103015+0215", "2024-05-01T10:30:15+02:15"),
        (" 20240501103015-0600 ", "2024-05-01T10:30:15-06:00"),
    ],
)
def test_a_time_keeps_the_precision_and_the_offset_it_was_sent_with(sent: str, read: str) -> None:
    assert parse_time(sent, None) == read


def test_the_sites_zone_fills_a_missing_offset_by_the_season() -> None:
    assert parse_time("20240501103000", VIENNA) == "2024-05-01T10:30:00+02:00"
    assert parse_time("20240101103000.5", VIENNA) == "2024-01-01T10:30:00.5+01:00"
    assert parse_time("20240501103000+0000", VIENNA) == "2024-05-01T10:30:00+00:00"
    assert parse_time("20240501", VIENNA) == "2024-05-01"


@pytest.mark.parametrize(
    "sent", ["", "123", "TBD", "20241301", "20240230", "2024050125", "0000", "20240501T10", "٢٠٢٤"]
)
def test_what_is_no_time_is_none(sent: str) -> None:
    assert parse_time(sent, VIENNA) is None


@given(
    st.from_regex(r"[0-2][0-9]{3}[01][0-9][0-3][0-9][0-2][0-9][0-6][0-9][0-6][0-9]", fullmatch=True)
)
def test_a_whole_time_is_read_as_one_with_a_fraction_is(digits: str) -> None:
    longer = parse_time(f"{digits}.0", None)

    assert parse_time(digits, None) == (longer and longer.removesuffix(".0"))
