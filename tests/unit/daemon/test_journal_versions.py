"""The order of a report's versions, and which of a message's reports leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.journal_versions import Version, is_newer, plan_births, version_of
from daemon.lifecycle import Event
from mappings.domain import ReportKey, ReportStatus
from tests.unit.daemon.journal_samples import make_new

if TYPE_CHECKING:
    from daemon.journal import NewReport

NOON = "2026-03-01T12:00:00"
ONE = "2026-03-01T13:00:00"


def test_the_ranks_of_the_statuses() -> None:
    statuses = [None, *ReportStatus]

    ranks = {status: version_of(make_new(status)).rank for status in statuses}

    assert ranks == {
        None: 1,
        ReportStatus.REGISTERED: 1,
        ReportStatus.PARTIAL: 1,
        ReportStatus.PRELIMINARY: 1,
        ReportStatus.FINAL: 2,
        ReportStatus.AMENDED: 3,
        ReportStatus.CORRECTED: 3,
        ReportStatus.CANCELLED: 4,
        ReportStatus.ENTERED_IN_ERROR: 4,
    }


def test_a_late_preliminary_is_not_newer_than_a_final() -> None:
    assert not is_newer(Version(1, ONE), than=Version(2, NOON))
    assert is_newer(Version(2, NOON), than=Version(1, ONE))


@pytest.mark.parametrize("rank", [3, 4])
def test_a_final_after_a_correction_or_a_cancellation_is_newer_by_its_time_only(rank: int) -> None:
    assert is_newer(Version(2, ONE), than=Version(rank, NOON))
    assert not is_newer(Version(rank, NOON), than=Version(2, ONE))
    for unclear in (NOON, None, "2026-03-01", "2026-03-01T12:00:00+01:00"):
        assert not is_newer(Version(2, unclear), than=Version(rank, NOON))
        assert is_newer(Version(rank, NOON), than=Version(2, unclear))
    assert not is_newer(Version(1, ONE), than=Version(rank, NOON))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ONE, NOON),
        ("2026-03-02", "2026-03-01"),
        ("2026-03-01T12:00:00+01:00", "2026-03-01T12:00:00+02:00"),
        ("2026-03-01T12:00:00-05:00", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:01", NOON),
        ("2026-03-02", NOON),
        ("2026-03-01T12:00:00.5", "2026-03-01T12:00:00.4"),
    ],
)
def test_of_one_rank_the_later_reported_is_newer(one: str, other: str) -> None:
    assert is_newer(Version(1, one), than=Version(1, other))
    assert not is_newer(Version(1, other), than=Version(1, one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, NOON),
        (None, None),
        (NOON, NOON),
        ("no time", NOON),
        ("2026-03", NOON),
        ("", NOON),
        ("2026-03-01T13:00:00+00:00", NOON),  # one with and one without an offset
        ("2026-03-01", NOON),  # to the day only
        ("2026-03-01T12:00", "2026-03-01T12:00:30"),  # to the minute only
        ("0001-01-01T00:00:00+14:00", "2026-03-01T12:00:00Z"),  # before the first UTC day
    ],
)
def test_where_the_times_do_not_tell_neither_is_newer(one: str | None, other: str | None) -> None:
    assert not is_newer(Version(1, one), than=Version(1, other))
    assert not is_newer(Version(1, other), than=Version(1, one))


@given(
    st.builds(Version, st.integers(1, 4), st.none() | st.text() | st.datetimes().map(str)),
    st.builds(Version, st.integers(1, 4), st.none() | st.text() | st.datetimes().map(str)),
)
def test_never_are_both_newer(one: Version, other: Version) -> None:
    assert not (is_newer(one, than=other) and is_newer(other, than=one))


def test_reports_under_different_keys_or_none_each_begin_as_they_are() -> None:
    reports = [
        make_new(key=ReportKey("a")),
        make_new(key=ReportKey("b")),
        make_new(key=None, skip="no_report_key"),
        make_new(key=None, skip="no_report_key"),
    ]

    births = plan_births(reports)

    assert [birth.event for birth in births] == [Event.MAP, Event.MAP, Event.SKIP, Event.SKIP]
    assert [birth.is_leading for birth in births] == [True, True, False, False]


@pytest.mark.parametrize(
    ("first", "second", "events"),
    [
        # Both to draft: the later group, unless the first is the newer version.
        (make_new(), make_new(), "supersede map"),
        (make_new(ReportStatus.FINAL), make_new(), "map supersede"),
        (make_new(reported_at=ONE), make_new(reported_at=NOON), "map supersede"),
        # A group without findings does not take the place of the one that has them.
        (make_new(), make_new(ReportStatus.FINAL, skip="no_findings"), "map skip"),
        (make_new(skip="not_radiology"), make_new(), "skip map"),
        # The human impression stands in the other group: nothing is drafted.
        (make_new(), make_new(skip="impression_present"), "supersede skip"),
        (make_new(ReportStatus.FINAL), make_new(skip="report_cancelled"), "supersede skip"),
        (make_new(skip="impression_present"), make_new(), "skip supersede"),
        (make_new(skip="no_findings"), make_new(skip="no_findings"), "skip skip"),
    ],
)
def test_of_two_groups_of_one_report_only_one_is_drafted(
    first: NewReport, second: NewReport, events: str
) -> None:
    births = plan_births([first, second])

    assert " ".join(birth.event for birth in births) == events
    assert [birth.is_leading for birth in births].count(True) == 1
