"""What becomes of older versions of a report: superseded, left to stand, or taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.delivery import NewDelivery
from daemon.journal_sqlite import open_journal
from daemon.lifecycle import Event, State
from mappings.domain import ReportKey, ReportStatus, Sections
from tests.unit.daemon.journal_samples import (
    DRAFT,
    KEY,
    OBSERVATION,
    StepClock,
    bring_to,
    due,
    make_new,
    map_one,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.journal import NewReport
    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import ReportId

CANCELLED, FINAL, CORRECTED, PRELIMINARY = (
    ReportStatus.CANCELLED,
    ReportStatus.FINAL,
    ReportStatus.CORRECTED,
    ReportStatus.PRELIMINARY,
)
LATER = "2026-03-01T09:00:00"


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    async with open_journal(tmp_path / "journal.db", clock=StepClock()) as journal:
        yield journal


@pytest.fixture
async def retracting_journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    """``fhir.on_final: retract``."""
    opened = open_journal(tmp_path / "journal.db", clock=StepClock(), is_left_on_final=False)
    async with opened as journal:
        yield journal


def version(
    status: ReportStatus | None = PRELIMINARY,
    *,
    skip: str | None = None,
    findings: str = "Other findings.",
    impression: str | None = None,
    reported_at: str | None = LATER,
) -> NewReport:
    """A version that came after what ``posted`` made."""
    made = make_new(status, reported_at, skip=skip)
    sections = Sections(findings=findings, impression=impression)
    return replace(made, study=replace(made.study, sections=sections))


async def draft(journal: SqliteJournal, report_id: ReportId) -> ReportId:
    await journal.record_drafted(report_id, DRAFT, OBSERVATION)
    return report_id


async def land(journal: SqliteJournal, report_id: ReportId) -> None:
    await journal.record_posted(report_id, reference="O/1", version_id="1", outcome="created")


async def posted(
    journal: SqliteJournal, control_id: str = "P1", new: NewReport | None = None
) -> ReportId:
    report_id = await draft(journal, await map_one(journal, control_id, new or make_new()))
    await land(journal, report_id)
    return report_id


async def why(journal: SqliteJournal, report_id: ReportId) -> tuple[str, str | None]:
    for report in (await journal.trail(report_id)).reports:
        if report.row.report_id == report_id:
            return report.row.state.value, report.row.reason
    raise AssertionError(report_id)


async def reasons(journal: SqliteJournal) -> list[str | None]:
    return [each.retracted_for for each in await due(journal, State.RETRACTING)]


@pytest.mark.parametrize(
    ("newer", "left", "taken_back"),
    [
        (version(CANCELLED, skip="report_cancelled"), "report_cancelled", "report_cancelled"),
        (
            version(ReportStatus.ENTERED_IN_ERROR, skip="report_cancelled"),
            "report_cancelled",
            "report_cancelled",
        ),
        (version(FINAL, skip="impression_present"), None, "impression_present"),
        (version(PRELIMINARY, skip="impression_present"), None, "impression_present"),
        (version(FINAL, skip="document_not_read"), None, "impression_present"),
        (version(FINAL, skip="no_observations"), None, "final_present"),
        (version(FINAL), None, "final_present"),
        (version(PRELIMINARY, skip="no_findings"), "report_changed", "report_changed"),
        (version(PRELIMINARY, skip="exam_not_configured"), "report_changed", "report_changed"),
        # Its own draft will take the place, when there is one.
        (version(CORRECTED), None, None),
        (version(PRELIMINARY), None, None),
    ],
)
@pytest.mark.parametrize("is_left", [True, False])
async def test_what_a_newer_version_says_decides_whether_a_posted_draft_stands(
    tmp_path: Path, newer: NewReport, left: str | None, taken_back: str | None, *, is_left: bool
) -> None:
    opened = open_journal(tmp_path / "j.db", clock=StepClock(), is_left_on_final=is_left)
    async with opened as journal:
        older = await posted(journal)
        await map_one(journal, "N1", newer)

        expected = left if is_left else taken_back
        assert await reasons(journal) == ([] if expected is None else [expected])
        state = State.POSTED if expected is None else State.RETRACTING
        assert await state_of(journal, older) is state
        assert (await journal.verify_chain()).is_whole


async def test_a_draft_of_the_same_findings_fits_whatever_else_is_said(
    journal: SqliteJournal,
) -> None:
    older = await posted(journal)
    same = replace(make_new(reported_at=LATER, skip="exam_not_configured"))

    await map_one(journal, "N1", same)

    assert await state_of(journal, older) is State.POSTED


async def test_the_draft_of_a_newer_version_takes_the_place_of_the_posted_one(
    journal: SqliteJournal,
) -> None:
    older = await posted(journal)
    newer = await draft(journal, await map_one(journal, "N1", version(CORRECTED)))
    before = await state_of(journal, older)

    await land(journal, newer)

    assert before is State.POSTED, "it stands until then"
    assert await why(journal, older) == ("SUPERSEDED", "newer_version")
    assert await state_of(journal, newer) is State.POSTED


@pytest.mark.parametrize("end", ["withheld", "failed", "skipped", "refused"])
async def test_a_posted_draft_does_not_stand_for_a_newer_version_that_gets_none(
    journal: SqliteJournal, end: str
) -> None:
    older = await posted(journal)
    newer = await map_one(journal, "N1", version(CORRECTED))
    if end == "withheld":
        await journal.record_withheld(newer, DRAFT, "sides:side_not_in_findings")
    elif end == "failed":
        await journal.record_exit(newer, Event.FAIL, "prompt_too_long")
    elif end == "skipped":
        await journal.record_exit(newer, Event.SKIP, "exam_not_configured")
    else:
        await draft(journal, newer)
        await journal.record_exit(newer, Event.FAIL, "http_422")

    assert await reasons(journal) == ["report_changed"]
    assert await state_of(journal, older) is State.RETRACTING


async def test_a_posted_draft_stands_for_a_version_with_the_same_findings_that_gets_none(
    journal: SqliteJournal,
) -> None:
    older = await posted(journal)
    newer = await map_one(journal, "N1", make_new(CORRECTED))

    await journal.record_exit(newer, Event.FAIL, "worker_lost")

    assert await state_of(journal, older) is State.POSTED


async def test_what_stands_at_the_server_decides_and_not_a_newer_draft_that_was_never_posted(
    journal: SqliteJournal,
) -> None:
    older = await posted(journal)
    never_posted = await draft(journal, await map_one(journal, "N1", version(CORRECTED)))
    newest = await map_one(journal, "N2", version(CORRECTED, reported_at="2026-03-01T10:00:00"))

    await journal.record_withheld(newest, DRAFT, "draft_empty")

    assert await state_of(journal, older) is State.SUPERSEDED
    assert await state_of(journal, never_posted) is State.RETRACTING


async def test_what_a_human_has_taken_over_at_the_server_is_not_taken_back(
    journal: SqliteJournal,
) -> None:
    older = await posted(journal)
    newer = await draft(journal, await map_one(journal, "N1", version(CORRECTED)))

    await journal.record_exit(newer, Event.SKIP, "final_present")
    await map_one(journal, "N2", version(CANCELLED, skip="report_cancelled"))

    assert await reasons(journal) == []
    assert await state_of(journal, older) is State.POSTED


@pytest.mark.parametrize("state", [State.DRAFTED, State.FAILED])
async def test_a_draft_whose_post_nobody_recorded_is_taken_back_in_case_it_landed(
    journal: SqliteJournal, state: State
) -> None:
    older = await bring_to(journal, state)
    cancelled = make_new(CANCELLED, LATER, key=ReportKey("C1"), skip="report_cancelled")

    await map_one(journal, "N1", cancelled)

    assert await state_of(journal, older) is State.RETRACTING
    await land(journal, older)
    assert await why(journal, older) == ("RETRACTING", "report_cancelled")


async def test_a_superseded_draft_that_may_have_landed_is_taken_back_too(
    journal: SqliteJournal,
) -> None:
    older = await draft(journal, await map_one(journal))
    newer = await map_one(journal, "N1", version(CORRECTED))
    await journal.record_withheld(newer, DRAFT, "draft_empty")

    assert await state_of(journal, older) is State.RETRACTING


@pytest.mark.parametrize("state", [State.MAPPED, State.WITHHELD])
async def test_what_has_no_draft_to_post_is_superseded_by_a_cancellation(
    journal: SqliteJournal, state: State
) -> None:
    older = await bring_to(journal, state)
    cancelled = make_new(CANCELLED, LATER, key=ReportKey("C1"), skip="report_cancelled")

    await map_one(journal, "N1", cancelled)

    assert await why(journal, older) == ("SUPERSEDED", "newer_version")


async def test_one_retraction_does_for_all_versions_of_a_report(journal: SqliteJournal) -> None:
    first = await posted(journal)
    second = await draft(journal, await map_one(journal, "N1", version(CORRECTED)))

    await map_one(journal, "N2", version(CANCELLED, skip="report_cancelled"))

    assert await state_of(journal, first) is State.SUPERSEDED
    assert await state_of(journal, second) is State.RETRACTING
    assert await reasons(journal) == ["report_cancelled"]


async def test_a_second_reason_takes_the_place_of_the_first_and_makes_no_second_retraction(
    journal: SqliteJournal,
) -> None:
    older = await posted(journal)
    newer = await map_one(journal, "N1", version(CORRECTED))
    await journal.record_withheld(newer, DRAFT, "draft_empty")

    await map_one(journal, "N2", version(CANCELLED, skip="report_cancelled"))

    [pending] = await due(journal, State.RETRACTING)
    assert (pending.report_id, pending.retracted_for) == (older, "report_cancelled")


async def test_nothing_of_a_report_is_posted_before_its_retraction_is_done(
    journal: SqliteJournal,
) -> None:
    older = await posted(journal)
    newer = await map_one(journal, "N1", version(CORRECTED))
    await journal.record_withheld(newer, DRAFT, "draft_empty")
    await journal.replay(newer, actor="operator:test")
    await draft(journal, newer)
    other = await bring_to(journal, State.DRAFTED, "other")

    held = await due(journal, State.DRAFTED)
    await journal.record_retracted(older, reference="O/1", version_id="2", outcome="updated")
    free = await due(journal, State.DRAFTED)

    assert [each.report_id for each in held] == [other]
    assert [each.report_id for each in free] == [newer, other]


async def test_an_older_version_that_comes_late_takes_nothing_back(
    journal: SqliteJournal,
) -> None:
    final = await posted(journal, new=make_new(FINAL, LATER))

    late = version(PRELIMINARY, skip="no_findings", reported_at="2026-03-01T07:00:00")
    await map_one(journal, "N1", late)

    assert await state_of(journal, final) is State.POSTED


@pytest.mark.parametrize(
    "spoken",
    [
        version(PRELIMINARY, skip="impression_present"),
        version(FINAL, skip="document_not_read"),
        version(FINAL),
    ],
)
@pytest.mark.parametrize("status", [PRELIMINARY, FINAL, CORRECTED])
async def test_once_a_person_has_spoken_no_version_is_drafted_for(
    journal: SqliteJournal, spoken: NewReport, status: ReportStatus
) -> None:
    older = await posted(journal)
    await map_one(journal, "N1", spoken)

    latest = await map_one(journal, "N2", version(status, reported_at="2026-03-01T10:00:00"))

    ends = {("SKIPPED", "drafting_ended"), ("SUPERSEDED", "newer_version_present")}
    assert await why(journal, latest) in ends
    assert await due(journal, State.MAPPED) == []
    assert await state_of(journal, older) is State.POSTED, "left, as the setting says"


async def test_a_late_preliminary_after_a_cancellation_is_no_draft(journal: SqliteJournal) -> None:
    await posted(journal)
    await map_one(journal, "N1", version(CANCELLED, skip="report_cancelled"))

    late = await map_one(journal, "N2", version(PRELIMINARY, reported_at="2026-03-01T10:00:00"))

    assert await state_of(journal, late) is State.SUPERSEDED


async def test_a_report_that_was_never_preliminary_is_drafted_for_though_it_is_final(
    journal: SqliteJournal,
) -> None:
    first = await posted(journal, new=make_new(FINAL))

    again = await map_one(journal, "N1", version(FINAL))

    assert await state_of(journal, again) is State.MAPPED
    assert await state_of(journal, first) is State.POSTED


async def test_our_own_draft_that_comes_back_is_nobodys_impression(
    retracting_journal: SqliteJournal,
) -> None:
    journal = retracting_journal
    older = await posted(journal)
    text = DRAFT.text.replace(" ", "\n")
    echo = version(PRELIMINARY, skip="impression_present", impression=text)

    came_back = await map_one(journal, "N1", echo)
    corrected = await map_one(journal, "N2", version(CORRECTED))

    assert await why(journal, came_back) == ("SKIPPED", "own_draft")
    assert await state_of(journal, older) is State.POSTED
    assert await state_of(journal, corrected) is State.MAPPED


async def test_our_own_words_signed_by_a_person_are_that_persons(
    retracting_journal: SqliteJournal,
) -> None:
    journal = retracting_journal
    await posted(journal)

    signed = version(FINAL, skip="impression_present", impression=DRAFT.text)
    await map_one(journal, "N1", signed)

    assert await reasons(journal) == ["impression_present"]


async def test_what_waits_to_be_sent_of_a_draft_taken_back_is_not_sent(
    journal: SqliteJournal,
) -> None:
    report_id = await draft(journal, await map_one(journal))
    owed = NewDelivery("oru", "ris", b"MSH|", "D1")
    await journal.record_posted(
        report_id, reference="O/1", version_id="1", outcome="created", deliveries=[owed]
    )

    await map_one(journal, "N1", version(CANCELLED, skip="report_cancelled"))

    assert await journal.deliveries_due() == {}


async def test_other_reports_are_not_touched(journal: SqliteJournal) -> None:
    await posted(journal)
    other = await bring_to(journal, State.POSTED, "other")

    await map_one(journal, "N1", version(CANCELLED, skip="report_cancelled"))

    assert await state_of(journal, other) is State.POSTED
    assert [each.report_key for each in await due(journal, State.RETRACTING)] == [KEY]
