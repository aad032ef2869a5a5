"""Synthetic messages, reports and drafts for the journal's tests, and a clock that steps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from daemon.journal import NewReport
from daemon.lifecycle import Event, State
from mappings.domain import (
    Companion,
    Draft,
    DraftObservation,
    EngineIdentity,
    Exam,
    FinishReason,
    Identifier,
    Laterality,
    Modality,
    RawReport,
    Region,
    ReportKey,
    ReportStatus,
    Sections,
    Standard,
    StudyReport,
)

if TYPE_CHECKING:
    from daemon.journal import PendingReport
    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import MessageId, ReportId

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
LATER = START + timedelta(days=1)
KEY = ReportKey("k" * 64)
PEER = "192.0.2.7:40100"
DRAFT = Draft(
    text="Small left pleural effusion.",
    finish=FinishReason.STOP,
    prompt_tokens=120,
    output_tokens=9,
    engine=EngineIdentity(
        engine="extractive",
        engine_version="1",
        base=None,
        base_digest=None,
        adapter=None,
        adapter_digest=None,
        template_version="impression/1",
        dtype=None,
        is_demo=True,
    ),
)
OBSERVATION = DraftObservation(
    report_key=KEY,
    observation_id="prelim-1",
    identifier_system="urn:prelim",
    identifier_value=KEY,
    observation=b'{"resourceType":"Observation"}',
    provenance_id="prelim-p-1",
    provenance=b'{"resourceType":"Provenance"}',
    companions=(Companion("Task", "prelim-t-1", b'{"resourceType":"Task"}'),),
)


@dataclass
class StepClock:
    """A clock that goes on by a millisecond each time it is read."""

    at: datetime = field(default=START)

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at

    def monotonic_s(self) -> float:
        return self.now().timestamp()


def make_raw(
    control_id: str = "C1", *, payload: bytes = b"MSH|one", sender: str = "RIS|HOSP"
) -> RawReport:
    return RawReport(
        standard=Standard.HL7V2,
        door="mllp:default",
        sender=sender,
        message_control_id=control_id,
        message_type="ORU^R01",
        received_at=START,
        digest=sha256(payload).hexdigest(),
        payload=payload,
    )


def make_study(
    status: ReportStatus | None = ReportStatus.PRELIMINARY,
    reported_at: str | None = "2026-03-01T07:55:00",
    *,
    group: int = 0,
) -> StudyReport:
    return StudyReport(
        standard=Standard.HL7V2,
        group=group,
        site="demo",
        language="en",
        message_control_id="C1",
        message_type="ORU^R01",
        sending_application="RIS",
        sending_facility=None,
        patient=Identifier("SYN-001", "HOSP"),
        accession_number=Identifier("ACC-1"),
        placer_order_number=None,
        filler_order_number=Identifier("F-1", "RIS"),
        study_instance_uid=None,
        exam=Exam("XCHEST", "L", modality=Modality.CR, region=Region.CHEST, laterality=None),
        report_status=status,
        observed_at=None,
        reported_at=reported_at,
        sections=Sections(findings="Small effusion on the left, 2\u2009cm.\n\x00\u6c34"),
    )


FULL_STUDY = StudyReport(
    standard=Standard.FHIR,
    group=3,
    site="demo",
    language="de",
    message_control_id="C\udce9",
    message_type="DiagnosticReport",
    sending_application="RIS",
    sending_facility="HOSP",
    patient=Identifier("SYN-002"),
    accession_number=Identifier("ACC-2", "A"),
    placer_order_number=Identifier("P-2", "B"),
    filler_order_number=Identifier("F-2", "C"),
    study_instance_uid="1.2.3",
    exam=Exam("a", "b", "c", "d", "e", "f", Modality.CT, Region.HEAD, Laterality.LEFT),
    report_status=None,
    observed_at="2026-03-01",
    reported_at="2026-03-01T07:55:00+01:00",
    sections=Sections("a", "b", "c", "d", "e"),
    is_radiology=False,
    documents=("pdf",),
    has_unread_impression=True,
    codec="cp1252",
    warnings=("charset_declared_wrong",),
)


def make_new(
    status: ReportStatus | None = ReportStatus.PRELIMINARY,
    reported_at: str | None = "2026-03-01T07:55:00",
    *,
    key: ReportKey | None = KEY,
    skip: str | None = None,
    group: int = 0,
) -> NewReport:
    event = Event.MAP if skip is None else Event.SKIP
    return NewReport(make_study(status, reported_at, group=group), key, event, skip)


async def receive(journal: SqliteJournal, control_id: str = "C1") -> MessageId:
    """Receive a message that no other test message is a duplicate of."""
    raw = make_raw(control_id, payload=f"MSH|{control_id}".encode())
    return (await journal.receive(raw, peer=PEER)).message_id


async def map_one(
    journal: SqliteJournal, control_id: str = "C1", new: NewReport | None = None
) -> ReportId:
    """Receive a message, map it to one report, and return that report's id."""
    message_id = await receive(journal, control_id)
    await journal.record_mapped(message_id, [new or make_new()])
    row = (await journal.trail(message_id)).reports[0].row
    assert row.report_id is not None
    return row.report_id


PAST_POSTING = {State.POSTED, State.RETRACTING, State.RETRACTED}


async def bring_to(journal: SqliteJournal, state: State, control_id: str = "C1") -> ReportId:
    """Bring a new report, alone under its key, to any state that a report can be in."""
    key = ReportKey(control_id)
    skip = "no_findings" if state is State.SKIPPED else None
    report_id = await map_one(journal, control_id, make_new(key=key, skip=skip))
    if state is State.WITHHELD:
        await journal.record_withheld(report_id, DRAFT, "draft_empty")
    if state in {State.DRAFTED, State.FAILED} | PAST_POSTING:
        observation = replace(OBSERVATION, report_key=key)
        await journal.record_drafted(report_id, DRAFT, observation)
    if state in PAST_POSTING:
        await journal.record_posted(
            report_id, reference="Observation/prelim-1", version_id="1", outcome="created"
        )
    if state in {State.RETRACTING, State.RETRACTED}:
        cancelled = make_new(ReportStatus.CANCELLED, key=key, skip="report_cancelled")
        await map_one(journal, f"{control_id}+", cancelled)
    if state is State.RETRACTED:
        await journal.record_retracted(
            report_id, reference="Observation/prelim-1", version_id="2", outcome="updated"
        )
    if state is State.FAILED:
        await journal.record_exit(report_id, Event.FAIL, "post_refused")
    if state is State.SUPERSEDED:
        await map_one(journal, f"{control_id}+", make_new(ReportStatus.FINAL, key=key))
    assert await state_of(journal, report_id) is state
    return report_id


async def state_of(journal: SqliteJournal, id_: str) -> State:
    """Return the state of a report, or of a message."""
    trail = await journal.trail(id_)
    reports = [report.row.state for report in trail.reports if report.row.report_id == id_]
    return reports[0] if reports else trail.row.state


async def due(journal: SqliteJournal, state: State) -> list[PendingReport]:
    """Return the reports whose next step is due a day from the start."""
    return list(await journal.pending_reports(state, now=LATER, limit=100))
