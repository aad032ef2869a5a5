"""Reports: born at mapping, moved only as the life cycle allows, superseded, replayed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from daemon.errors import UnknownIdError
from daemon.journal_sqlite import open_journal
from daemon.lifecycle import Event, IllegalTransitionError, State
from mappings.domain import ReportId, ReportKey, ReportStatus
from tests.unit.daemon.journal_samples import (
    DRAFT,
    KEY,
    OBSERVATION,
    START,
    StepClock,
    bring_to,
    due,
    make_new,
    map_one,
    receive,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from daemon.journal import AuditEntry
    from daemon.journal_sqlite import SqliteJournal

REPORT_STATES = [state for state in State if state not in {State.RECEIVED, State.REJECTED}]
UNPOSTED = [State.MAPPED, State.DRAFTED, State.WITHHELD, State.FAILED]
PRELIMINARY, FINAL, CORRECTED = (
    ReportStatus.PRELIMINARY,
    ReportStatus.FINAL,
    ReportStatus.CORRECTED,
)
NOON = "2026-03-01T12:00:00"
ONE = "2026-03-01T13:00:00"


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    async with open_journal(tmp_path / "journal.db", clock=StepClock()) as journal:
        yield journal


async def last_entry(journal: SqliteJournal, report_id: str) -> AuditEntry:
    entries = (await journal.trail(report_id)).entries
    return [entry for entry in entries if entry.report_id == report_id][-1]


async def test_a_message_gives_birth_to_each_of_its_reports(journal: SqliteJournal) -> None:
    message_id = await receive(journal)

    await journal.record_mapped(
        message_id,
        [
            make_new(group=0, key=ReportKey("a")),
            make_new(group=1, key=None, skip="no_report_key"),
        ],
    )

    trail = await journal.trail(message_id)
    assert [(report.row.state, report.row.reason) for report in trail.reports] == [
        (State.MAPPED, None),
        (State.SKIPPED, "no_report_key"),
    ]
    assert [report.study.group for report in trail.reports] == [0, 1]
    assert [(entry.event, entry.from_state, entry.to_state) for entry in trail.entries[1:]] == [
        ("map", "RECEIVED", "MAPPED"),
        ("skip", "RECEIVED", "SKIPPED"),
    ]
    assert trail.entries[1].detail == {
        "reason": None,
        "site": "demo",
        "report_status": "preliminary",
    }
    assert await journal.pending_messages(10) == []


async def test_a_message_without_any_report_cannot_be_mapped(journal: SqliteJournal) -> None:
    message_id = await receive(journal)

    with pytest.raises(ValueError, match="at least one"):
        await journal.record_mapped(message_id, [])


async def test_a_birth_that_fails_leaves_no_sibling_behind(journal: SqliteJournal) -> None:
    message_id = await receive(journal)
    unborn = replace(make_new(key=ReportKey("b")), event=Event.POST)

    with pytest.raises(IllegalTransitionError):
        await journal.record_mapped(message_id, [make_new(), unborn])

    assert (await journal.trail(message_id)).reports == []
    assert len(await journal.pending_messages(10)) == 1
    assert (await journal.verify_chain()).entries == 1


async def test_a_draft_is_kept_with_the_bytes_to_post(journal: SqliteJournal) -> None:
    report_id = await map_one(journal)

    await journal.record_drafted(report_id, DRAFT, OBSERVATION)

    [pending] = await due(journal, State.DRAFTED)
    assert (pending.report_id, pending.observation) == (report_id, OBSERVATION)
    [report] = (await journal.trail(report_id)).reports
    assert (report.draft, report.observation) == (DRAFT, OBSERVATION)
    entry = await last_entry(journal, report_id)
    assert entry.detail["engine"] == "extractive"
    assert DRAFT.text not in repr(entry)


async def test_a_withheld_text_is_kept_but_there_is_nothing_to_post(
    journal: SqliteJournal,
) -> None:
    report_id = await map_one(journal)

    await journal.record_withheld(report_id, DRAFT, "side_not_in_findings")

    [report] = (await journal.trail(report_id)).reports
    assert (report.row.state, report.row.reason) == (State.WITHHELD, "side_not_in_findings")
    assert (report.draft, report.observation) == (DRAFT, None)


async def test_a_posted_report_knows_its_observation(journal: SqliteJournal) -> None:
    report_id = await bring_to(journal, State.POSTED)

    [report] = (await journal.trail(report_id)).reports
    assert report.reference == "Observation/prelim-1"
    assert (await last_entry(journal, report_id)).detail == {
        "reference": "Observation/prelim-1",
        "version_id": "1",
        "outcome": "created",
    }


async def test_a_retry_waits_as_data_and_is_counted(journal: SqliteJournal) -> None:
    report_id = await bring_to(journal, State.DRAFTED)
    until = START + timedelta(hours=1)

    for _ in range(2):
        await journal.record_retry(report_id, reason="server_busy", not_before=until)

    before, at = until - timedelta(seconds=1), until
    assert await journal.pending_reports(State.DRAFTED, now=before, limit=10) == []
    [pending] = await journal.pending_reports(State.DRAFTED, now=at, limit=10)
    assert (pending.report_id, pending.attempts) == (report_id, 2)
    [row] = await journal.rows()
    assert (row.state, row.reason, row.not_before) == (State.DRAFTED, "server_busy", until)


async def test_the_next_step_begins_its_own_count(journal: SqliteJournal) -> None:
    report_id = await map_one(journal)
    await journal.record_retry(report_id, reason="worker_lost", not_before=START)

    await journal.record_drafted(report_id, DRAFT, OBSERVATION)

    [row] = await journal.rows()
    assert (row.attempts, row.not_before, row.reason) == (0, None, None)


async def test_an_exit_is_a_skip_or_a_failure_and_nothing_else(journal: SqliteJournal) -> None:
    report_id = await map_one(journal)

    with pytest.raises(ValueError, match="SKIP or FAIL"):
        await journal.record_exit(report_id, Event.DRAFT, "no_reason")

    await journal.record_exit(report_id, Event.FAIL, "prompt_too_long")
    [row] = await journal.rows()
    assert (row.state, row.reason) == (State.FAILED, "prompt_too_long")


STEPS: dict[str, tuple[Event, Callable[[SqliteJournal, ReportId], Awaitable[None]]]] = {
    "draft": (Event.DRAFT, lambda j, id_: j.record_drafted(id_, DRAFT, OBSERVATION)),
    "withhold": (Event.WITHHOLD, lambda j, id_: j.record_withheld(id_, DRAFT, "draft_empty")),
    "post": (
        Event.POST,
        lambda j, id_: j.record_posted(id_, reference="O/1", version_id=None, outcome="created"),
    ),
    "retry": (Event.RETRY, lambda j, id_: j.record_retry(id_, reason="busy", not_before=START)),
    "fail": (Event.FAIL, lambda j, id_: j.record_exit(id_, Event.FAIL, "refused")),
    "skip": (Event.SKIP, lambda j, id_: j.record_exit(id_, Event.SKIP, "final_present")),
    "retract": (
        Event.RETRACT,
        lambda j, id_: j.record_retracted(id_, reference="O/1", version_id=None, outcome="updated"),
    ),
}
ALLOWED = {
    State.MAPPED: {"draft", "withhold", "retry", "fail", "skip"},
    State.DRAFTED: {"post", "retry", "fail", "skip"},
    State.RETRACTING: {"retract", "post", "retry", "fail", "skip"},
    State.SUPERSEDED: {"post", "retract"},
}


@pytest.mark.parametrize("step", list(STEPS))
@pytest.mark.parametrize("state", REPORT_STATES)
async def test_a_step_that_the_life_cycle_forbids_writes_nothing(
    journal: SqliteJournal, state: State, step: str
) -> None:
    report_id = await bring_to(journal, state)
    before = await journal.verify_chain()
    event, take = STEPS[step]

    if step in ALLOWED.get(state, ()):
        await take(journal, report_id)
        assert (await last_entry(journal, report_id)).event == event
        return
    with pytest.raises(IllegalTransitionError) as caught:
        await take(journal, report_id)

    assert (caught.value.state, caught.value.event) == (state, event)
    assert await journal.verify_chain() == before


async def test_a_step_of_a_report_that_nobody_knows_is_refused(journal: SqliteJournal) -> None:
    for _, take in STEPS.values():
        with pytest.raises(UnknownIdError):
            await take(journal, ReportId("nobody"))


@pytest.mark.parametrize("state", REPORT_STATES)
async def test_a_newer_version_supersedes_an_older_one_that_is_not_posted(
    journal: SqliteJournal, state: State
) -> None:
    older = await bring_to(journal, state)

    newer = await map_one(journal, "C2", make_new(FINAL, key=ReportKey("C1")))

    entry = await last_entry(journal, older)
    if state not in UNPOSTED:
        assert await state_of(journal, older) is state
        return
    assert await state_of(journal, older) is State.SUPERSEDED
    assert (entry.event, entry.from_state) == ("supersede", state)
    assert entry.detail == {"reason": "newer_version", "newer_report_id": newer}
    assert await state_of(journal, newer) is State.MAPPED


@pytest.mark.parametrize(
    ("first", "second", "states"),
    [
        ((PRELIMINARY, NOON), (FINAL, NOON), "SUPERSEDED MAPPED"),
        ((FINAL, NOON), (PRELIMINARY, ONE), "MAPPED SUPERSEDED"),
        ((FINAL, NOON), (CORRECTED, None), "SUPERSEDED MAPPED"),
        ((CORRECTED, NOON), (FINAL, ONE), "SUPERSEDED MAPPED"),  # finalised again
        ((ReportStatus.CANCELLED, NOON), (FINAL, ONE), "SUPERSEDED MAPPED"),
        ((CORRECTED, ONE), (FINAL, NOON), "MAPPED SUPERSEDED"),
        ((CORRECTED, NOON), (FINAL, None), "MAPPED SUPERSEDED"),
        ((ReportStatus.CANCELLED, NOON), (PRELIMINARY, ONE), "MAPPED SUPERSEDED"),
        ((FINAL, NOON), (FINAL, ONE), "SUPERSEDED MAPPED"),
        ((FINAL, ONE), (FINAL, NOON), "MAPPED SUPERSEDED"),
        # Where the times do not tell, arrival does.
        ((FINAL, NOON), (FINAL, NOON), "SUPERSEDED MAPPED"),
        ((FINAL, ONE), (FINAL, None), "SUPERSEDED MAPPED"),
        ((FINAL, f"{ONE}+00:00"), (FINAL, NOON), "SUPERSEDED MAPPED"),
        ((FINAL, f"{NOON}+00:00"), (FINAL, f"{ONE}+02:00"), "MAPPED SUPERSEDED"),
    ],
)
async def test_the_newer_of_two_versions_lives_whichever_came_first(
    journal: SqliteJournal,
    first: tuple[ReportStatus, str | None],
    second: tuple[ReportStatus, str | None],
    states: str,
) -> None:
    ids = [
        await map_one(journal, "C1", make_new(*first)),
        await map_one(journal, "C2", make_new(*second)),
    ]

    assert " ".join([await state_of(journal, id_) for id_ in ids]) == states
    assert (await journal.verify_chain()).is_whole


async def test_an_older_version_that_comes_late_says_why_it_is_superseded(
    journal: SqliteJournal,
) -> None:
    await map_one(journal, "C1", make_new(FINAL))

    late = await map_one(journal, "C2", make_new(PRELIMINARY))

    [report] = (await journal.trail(late)).reports
    assert report.row.reason == "newer_version_present"
    entry = await last_entry(journal, late)
    assert (entry.event, entry.from_state) == ("supersede", "RECEIVED")


async def test_a_late_preliminary_does_not_touch_a_final_that_was_skipped_or_posted(
    journal: SqliteJournal,
) -> None:
    await map_one(journal, "C1", make_new(FINAL, skip="impression_present"))

    late = await map_one(journal, "C2", make_new(PRELIMINARY, ONE))

    assert await state_of(journal, late) is State.SUPERSEDED


async def test_a_version_that_only_arrival_makes_newer_lives_though_it_was_mapped_first(
    journal: SqliteJournal,
) -> None:
    long_one = await receive(journal, "C1")
    newer = await map_one(journal, "C2")

    await journal.record_mapped(long_one, [make_new()])

    (older,) = (await journal.trail(long_one)).reports
    assert (older.row.state, older.row.reason) == (State.SUPERSEDED, "newer_version_present")
    assert await state_of(journal, newer) is State.MAPPED


async def test_a_newer_version_that_is_skipped_supersedes_the_older_draft(
    journal: SqliteJournal,
) -> None:
    older = await map_one(journal, "C1")
    await journal.record_drafted(older, DRAFT, OBSERVATION)

    newer = await map_one(journal, "C2", make_new(FINAL, skip="impression_present"))

    assert await state_of(journal, older) is State.SUPERSEDED
    assert await state_of(journal, newer) is State.SKIPPED


async def test_reports_without_a_key_supersede_nothing(journal: SqliteJournal) -> None:
    keyed = await map_one(journal, "C1", make_new(key=KEY))
    for control_id in ("C2", "C3"):
        await map_one(journal, control_id, make_new(FINAL, key=None, skip="no_report_key"))

    assert await state_of(journal, keyed) is State.MAPPED


async def test_groups_of_one_report_in_one_message_make_one_draft(journal: SqliteJournal) -> None:
    older = await map_one(journal, "C1")
    message_id = await receive(journal, "C2")

    await journal.record_mapped(
        message_id,
        [make_new(group=0, skip="no_findings"), make_new(group=1), make_new(group=2)],
    )

    reports = (await journal.trail(message_id)).reports
    assert [(report.row.state, report.row.reason) for report in reports] == [
        (State.SKIPPED, "no_findings"),
        (State.SUPERSEDED, "same_report_in_message"),
        (State.MAPPED, None),
    ]
    assert await state_of(journal, older) is State.SUPERSEDED
    newer_id = (await last_entry(journal, older)).detail["newer_report_id"]
    assert newer_id == reports[2].row.report_id


async def test_a_group_without_findings_is_no_newer_version_of_its_own_message(
    journal: SqliteJournal,
) -> None:
    message_id = await receive(journal)

    await journal.record_mapped(
        message_id, [make_new(FINAL, skip="no_findings"), make_new(PRELIMINARY, group=1)]
    )

    reports = (await journal.trail(message_id)).reports
    assert [report.row.state for report in reports] == [State.SKIPPED, State.MAPPED]


async def test_a_post_that_was_under_way_is_noted_on_what_was_superseded_meanwhile(
    journal: SqliteJournal,
) -> None:
    older = await bring_to(journal, State.DRAFTED)
    await map_one(journal, "C2", make_new(FINAL, key=ReportKey("C1")))

    await journal.record_posted(older, reference="Observation/1", version_id="1", outcome="created")

    [report] = (await journal.trail(older)).reports
    assert (report.row.state, report.row.reason) == (State.SUPERSEDED, "newer_version")
    assert report.reference == "Observation/1"
    assert (await last_entry(journal, older)).event == "post"


@pytest.mark.parametrize("state", REPORT_STATES)
async def test_an_operator_may_replay_what_failed_or_was_withheld(
    journal: SqliteJournal, state: State
) -> None:
    report_id = await bring_to(journal, state)
    before = await journal.verify_chain()

    if state is State.FAILED:  # its bytes are there: the same ones are posted
        assert await journal.replay(report_id, actor="anna") == (state, State.DRAFTED)
        [pending] = await due(journal, State.DRAFTED)
        assert pending.observation == replace(OBSERVATION, report_key=ReportKey("C1"))
    elif state is State.WITHHELD:
        assert await journal.replay(report_id, actor="anna") == (state, State.MAPPED)
        assert len(await due(journal, State.MAPPED)) == 1
    else:
        with pytest.raises(IllegalTransitionError):
            await journal.replay(report_id, actor="anna")
        assert await journal.verify_chain() == before
        return

    entry = await last_entry(journal, report_id)
    assert (entry.actor, entry.from_state) == ("anna", state)


async def test_a_report_that_failed_before_its_draft_is_drafted_again(
    journal: SqliteJournal,
) -> None:
    report_id = await map_one(journal)
    await journal.record_retry(report_id, reason="worker_lost", not_before=START)
    await journal.record_exit(report_id, Event.FAIL, "worker_lost")

    assert await journal.replay(report_id, actor="anna") == (State.FAILED, State.MAPPED)

    [pending] = await due(journal, State.MAPPED)
    assert (pending.attempts, pending.observation) == (0, None)
    [row] = await journal.rows()
    assert row.reason is None


async def test_a_draft_made_after_a_replay_takes_the_place_of_the_withheld_one(
    journal: SqliteJournal,
) -> None:
    report_id = await bring_to(journal, State.WITHHELD)
    await journal.replay(report_id, actor="anna")

    await journal.record_drafted(report_id, replace(DRAFT, text="Better."), OBSERVATION)

    [report] = (await journal.trail(report_id)).reports
    assert report.draft is not None
    assert report.draft.text == "Better."


async def test_a_message_replays_each_of_its_reports_that_can_be(journal: SqliteJournal) -> None:
    message_id = await receive(journal)
    await journal.record_mapped(
        message_id, [make_new(key=ReportKey(name), group=n) for n, name in enumerate("abc")]
    )
    ids = [report.row.report_id for report in (await journal.trail(message_id)).reports]
    assert ids[0] is not None
    assert ids[2] is not None
    await journal.record_exit(ids[0], Event.FAIL, "refused")
    await journal.record_withheld(ids[2], DRAFT, "draft_empty")

    assert await journal.replay(message_id, actor="anna") == (State.FAILED, State.MAPPED)

    assert [report.row.state for report in (await journal.trail(message_id)).reports] == [
        State.MAPPED
    ] * 3
    with pytest.raises(IllegalTransitionError) as caught:
        await journal.replay(message_id, actor="anna")
    assert caught.value.state is State.MAPPED


async def test_what_nobody_knows_cannot_be_replayed(journal: SqliteJournal) -> None:
    with pytest.raises(UnknownIdError):
        await journal.replay("nobody", actor="anna")


async def test_pause_and_resume_are_kept_and_audited(journal: SqliteJournal) -> None:
    answers = [await journal.is_paused()]
    for is_paused in (True, False):
        await journal.set_paused(is_paused=is_paused, actor="anna")
        answers.append(await journal.is_paused())

    assert answers == [False, True, False]
    assert [(entry.event, entry.actor) for entry in await journal.entries(after=0, limit=9)] == [
        ("pause", "anna"),
        ("resume", "anna"),
    ]
