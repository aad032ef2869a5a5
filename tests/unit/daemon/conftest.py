"""What the daemon's tests share: a hand-moved clock, a real journal, synthetic reports."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from daemon.journal_commit import GroupCommit, Job, Outcome
from daemon.journal_sqlite import open_journal
from daemon.journal_writer import ThreadWriter
from mappings.domain import (
    Draft,
    EngineIdentity,
    Exam,
    FinishReason,
    Identifier,
    Modality,
    RawReport,
    Region,
    ReportStatus,
    Sections,
    Standard,
    StudyReport,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from daemon.journal_sqlite import SqliteJournal


class HandClock:
    """Time that stands until a test moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.seconds)

    def monotonic_s(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture(autouse=True)
def as_another_process_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send the journal's own operations and their outcomes as ``prelim serve`` does: pickled."""
    put, commit = ThreadWriter._put, GroupCommit.commit

    def is_ours(job: Job) -> bool:
        return job.operation.__module__.startswith("daemon.")

    def put_pickled(writer: ThreadWriter, job: Job, future: asyncio.Future[object]) -> None:
        put(writer, pickle.loads(pickle.dumps(job)) if is_ours(job) else job, future)  # noqa: S301 - our own

    def commit_pickled(commits: GroupCommit, jobs: Sequence[Job]) -> list[Outcome]:
        outcomes = commit(commits, jobs)
        return [
            pickle.loads(pickle.dumps(outcome)) if is_ours(job) else outcome  # noqa: S301 - our own
            for job, outcome in zip(jobs, outcomes, strict=True)
        ]

    monkeypatch.setattr(ThreadWriter, "_put", put_pickled)
    monkeypatch.setattr(GroupCommit, "commit", commit_pickled)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def journal(tmp_path: Path, clock: HandClock) -> AsyncIterator[SqliteJournal]:
    opened = open_journal(tmp_path / "journal.sqlite", clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
def make_raw() -> Callable[..., RawReport]:
    """Make a message; keyword arguments replace fields."""

    def make(payload: bytes = b"MSH|^~\\&|A\r", **changes: object) -> RawReport:
        raw = RawReport(
            standard=Standard.HL7V2,
            door="default",
            sender="DEMORIS|DEMOHOSP",
            message_control_id="M1",
            message_type="ORU^R01",
            received_at=datetime(2026, 11, 21, 8, 0, tzinfo=UTC),
            digest=hashlib.sha256(payload).hexdigest(),
            payload=payload,
        )
        return replace(raw, **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_study() -> Callable[..., StudyReport]:
    """Make a preliminary chest CT report with findings; keyword arguments replace fields."""

    def make(**changes: object) -> StudyReport:
        study = StudyReport(
            standard=Standard.HL7V2,
            group=0,
            site="default",
            language="en",
            message_control_id="M1",
            message_type="ORU^R01",
            sending_application="DEMORIS",
            sending_facility="DEMOHOSP",
            patient=Identifier("P1", "DEMO"),
            accession_number=Identifier("A1"),
            placer_order_number=Identifier("O1"),
            filler_order_number=Identifier("F1"),
            study_instance_uid=None,
            exam=Exam("CTCHEST", "L", "CT CHEST", modality=Modality.CT, region=Region.CHEST),
            report_status=ReportStatus.PRELIMINARY,
            observed_at="2026-11-21T07:00:00+00:00",
            reported_at="2026-11-21T07:30:00+00:00",
            sections=Sections(findings="There is a 12 mm nodule in the right upper lobe."),
        )
        return replace(study, **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_draft() -> Callable[..., Draft]:
    """Make a draft that fits ``make_study``; keyword arguments replace fields."""

    def make(text: str = "12 mm nodule in the right upper lobe.", **changes: object) -> Draft:
        identity = EngineIdentity(
            engine="extractive",
            engine_version="extractive/1",
            base=None,
            base_digest=None,
            adapter=None,
            adapter_digest=None,
            template_version="impression/1",
            dtype=None,
            is_demo=True,
        )
        draft = Draft(text, FinishReason.STOP, 40, 10, identity)
        return replace(draft, **changes)  # type: ignore[arg-type]

    return make
