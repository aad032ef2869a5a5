"""Every change of a report: its birth at mapping, its way to the server, its supersession, replay.

Rule: a state changes only through ``next_state`` and only beside ``transaction.audit``, in one
transaction. No detail of an entry is patient data.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from daemon import journal_outbox
from daemon.audit import SELF, Change
from daemon.errors import UnknownIdError
from daemon.journal_codec import (
    encode_companions,
    encode_engine,
    encode_study,
    storable,
    time_text,
)
from daemon.journal_messages import reread, unmapped_state
from daemon.journal_versions import Version, is_newer, plan_births, version_of
from daemon.lifecycle import TRANSITIONS, Event, IllegalTransitionError, State, next_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from daemon.audit import Detail
    from daemon.delivery import NewDelivery
    from daemon.journal import NewReport
    from daemon.journal_versions import Birth
    from daemon.journal_writer import Transaction
    from mappings.domain import Draft, DraftObservation, ReportId

    NewId = Callable[[], str]

STARTS_AFRESH = {Event.DRAFT, Event.REDRAFT, Event.REPOST}
"""Events after which the attempts are counted from 0 again."""


@dataclass(frozen=True, slots=True)
class _Stored:
    message_id: str
    state: State
    reason: str | None
    attempts: int


def record_mapped(
    transaction: Transaction,
    message_id: str,
    reports: Sequence[NewReport],
    deliveries: Sequence[NewDelivery],
    new_id: NewId,
) -> None:
    """Give birth to a message's reports, superseding older versions that are not posted."""
    unmapped_state(transaction, message_id, Event.MAP)
    for birth in plan_births(reports):
        _bear(transaction, message_id, birth, new_id())
    transaction.execute("UPDATE message SET is_mapped = 1 WHERE id = ?", (message_id,))
    journal_outbox.queue(transaction, message_id, None, deliveries, new_id)


def _bear(transaction: Transaction, message_id: str, birth: Birth, report_id: str) -> None:
    event, reason = birth.event, birth.reason
    version = version_of(birth.report)
    others = _other_versions(transaction, message_id, birth) if birth.is_leading else {}
    if any(
        is_newer(other, than=version) or (came_later and not is_newer(version, than=other))
        for other, _, came_later in others.values()
    ):
        event, reason = Event.SUPERSEDE, "newer_version_present"
    else:
        for other_id, (_, state, _) in others.items():
            journal_outbox.withdraw(transaction, other_id)
            if (state, Event.SUPERSEDE) in TRANSITIONS:
                reasons = {"reason": "newer_version", "newer_report_id": report_id}
                _move(transaction, other_id, Event.SUPERSEDE, reasons)
    state = next_state(State.RECEIVED, event)
    study = birth.report.study
    accession = study.accession_number
    transaction.execute(
        """INSERT INTO report (id, message_id, report_key, state, reason, rank, reported_at,
            accession_number, study) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            report_id,
            message_id,
            birth.report.report_key,
            state,
            reason,
            version.rank,
            version.reported_at,
            None if accession is None else storable(accession.value),
            encode_study(study),
        ),
    )
    detail: Detail = {"reason": reason, "site": study.site, "report_status": study.report_status}
    transaction.audit(Change(event, message_id, report_id, State.RECEIVED, state, detail))


def _other_versions(
    transaction: Transaction, message_id: str, birth: Birth
) -> dict[str, tuple[Version, State, bool]]:
    """Return each by id: what orders it, its state, and whether its message came after this one.

    A long message, or one that is read again, is mapped later than it came.
    """
    rows = transaction.execute(
        """SELECT report.id, rank, reported_at, report.state,
                message.arrival > (SELECT arrival FROM message WHERE id = ?)
            FROM report JOIN message ON message.id = message_id
            WHERE report_key = ? AND message_id <> ? ORDER BY report.arrival""",
        (message_id, birth.report.report_key, message_id),
    )
    return {
        id_: (Version(rank, at), State(state), bool(came_later))
        for id_, rank, at, state, came_later in rows
    }


def record_drafted(
    transaction: Transaction, report_id: ReportId, draft: Draft, observation: DraftObservation
) -> None:
    """MAPPED -> DRAFTED, with the text and the bytes to post."""
    digest = sha256(observation.observation).hexdigest()
    _move(transaction, report_id, Event.DRAFT, _drafting(draft) | {"observation_digest": digest})
    _store_draft(transaction, report_id, draft, observation)


def record_withheld(
    transaction: Transaction, report_id: ReportId, draft: Draft, reason: str
) -> None:
    """MAPPED -> WITHHELD, with the text."""
    _move(transaction, report_id, Event.WITHHOLD, _drafting(draft) | {"reason": reason})
    _store_draft(transaction, report_id, draft, None)


def _drafting(draft: Draft) -> dict[str, str | int | None]:
    return {
        "engine": draft.engine.engine,
        "engine_version": draft.engine.engine_version,
        "base_digest": draft.engine.base_digest,
        "adapter_digest": draft.engine.adapter_digest,
        "template_version": draft.engine.template_version,
        "output_tokens": draft.output_tokens,
    }


def _store_draft(
    transaction: Transaction, report_id: str, draft: Draft, observation: DraftObservation | None
) -> None:
    kept: tuple[str | bytes | None, ...] = (*(None,) * 6, encode_companions(()))
    if observation is not None:
        kept = (
            observation.observation_id,
            observation.identifier_system,
            observation.identifier_value,
            observation.observation,
            observation.provenance_id,
            observation.provenance,
            encode_companions(observation.companions),
        )
    transaction.execute(
        "INSERT OR REPLACE INTO draft VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            report_id,
            storable(draft.text),
            draft.finish,
            draft.prompt_tokens,
            draft.output_tokens,
            encode_engine(draft.engine),
            *kept,
        ),
    )


def record_posted(
    transaction: Transaction,
    report_id: ReportId,
    detail: Detail,
    deliveries: Sequence[NewDelivery],
    new_id: NewId,
) -> None:
    """DRAFTED -> POSTED, or a note on a report that was superseded while its post was under way.

    Args:
        transaction: The open one.
        report_id: Whose draft was posted.
        detail: ``reference``, ``version_id`` and ``outcome`` of the server's answer.
        deliveries: What is to be sent now; nothing of a superseded report is.
        new_id: Gives each delivery its id.
    """
    _, state = _move(transaction, report_id, Event.POST, detail)
    row = transaction.find(
        "UPDATE report SET reference = ? WHERE id = ? RETURNING message_id",
        (storable(str(detail["reference"])), report_id),
    )
    if state is State.POSTED and row is not None:
        journal_outbox.queue(transaction, row[0], report_id, deliveries, new_id)


def record_retry(
    transaction: Transaction, report_id: ReportId, reason: str, not_before: datetime
) -> None:
    """Count the attempt and wait as data."""
    until = time_text(not_before)
    _move(transaction, report_id, Event.RETRY, {"reason": reason, "not_before": until})
    transaction.execute("UPDATE report SET not_before = ? WHERE id = ?", (until, report_id))


def record_exit(transaction: Transaction, report_id: ReportId, event: Event, reason: str) -> None:
    """SKIP or FAIL."""
    _move(transaction, report_id, event, {"reason": reason})


def _move(
    transaction: Transaction, report_id: str, event: Event, detail: Detail, actor: str = SELF
) -> tuple[State, State]:
    stored = _find_report(transaction, report_id)
    if stored is None:
        raise UnknownIdError("unknown_id")
    state = next_state(stored.state, event)
    attempts = 0 if event in STARTS_AFRESH else stored.attempts + (event is Event.RETRY)
    # A note on a report that stays where it is does not change why it is there.
    reason = detail.get("reason") or (stored.reason if state is stored.state else None)
    transaction.execute(
        """UPDATE report SET state = ?, reason = ?, attempts = ?, not_before = NULL
            WHERE id = ?""",
        (state, reason, attempts, report_id),
    )
    change = Change(event, stored.message_id, report_id, stored.state, state, detail, actor)
    transaction.audit(change)
    return stored.state, state


def _find_report(transaction: Transaction, report_id: str) -> _Stored | None:
    row = transaction.find(
        "SELECT message_id, state, reason, attempts FROM report WHERE id = ?", (report_id,)
    )
    return _Stored(row[0], State(row[1]), row[2], row[3]) if row else None


def replay(transaction: Transaction, id_: str, actor: str) -> tuple[str, str]:
    """Bring a message, a report or a delivery back; a message brings each report that can come."""
    if journal_outbox.is_delivery(transaction, id_):
        return journal_outbox.resend(transaction, id_, actor)
    row = transaction.find("SELECT state FROM message WHERE id = ?", (id_,))
    if row is None:
        return _replay_report(transaction, id_, actor)
    if row[0] == State.REJECTED:
        return reread(transaction, id_, actor)
    reports = transaction.execute(
        "SELECT id, state FROM report WHERE message_id = ? ORDER BY arrival", (id_,)
    ).fetchall()
    moves = [
        _replay_report(transaction, report_id, actor)
        for report_id, state in reports
        if state in {State.FAILED, State.WITHHELD}
    ]
    if not moves:
        raise IllegalTransitionError(State(reports[0][1] if reports else row[0]), Event.REREAD)
    return moves[0]


def _replay_report(transaction: Transaction, report_id: str, actor: str) -> tuple[State, State]:
    stored = _find_report(transaction, report_id)
    has_observation = transaction.find(
        "SELECT 1 FROM draft WHERE report_id = ? AND observation IS NOT NULL", (report_id,)
    )
    is_repost = stored is not None and stored.state is State.FAILED and has_observation
    return _move(transaction, report_id, Event.REPOST if is_repost else Event.REDRAFT, {}, actor)
