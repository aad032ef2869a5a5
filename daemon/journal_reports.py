"""Every change of a report: its birth at mapping, its way to the server and back, its replay.

Rule: a state changes only through ``next_state`` and only beside ``transaction.audit``, in one
transaction. No detail of an entry is patient data. What older versions do meanwhile stands in
journal_succession.py.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from daemon import journal_outbox, journal_succession
from daemon.audit import Change
from daemon.journal_codec import (
    encode_companions,
    encode_engine,
    encode_study,
    storable,
    time_text,
)
from daemon.journal_messages import reread, unmapped_state
from daemon.journal_moves import find_report, move, withdraw
from daemon.journal_versions import plan_births, version_of
from daemon.lifecycle import Event, IllegalTransitionError, State, next_state

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from daemon.audit import Detail
    from daemon.delivery import NewDelivery
    from daemon.journal import NewReport
    from daemon.journal_transaction import Transaction
    from daemon.journal_versions import Birth
    from mappings.domain import Draft, DraftObservation, ReportId


def record_mapped(
    transaction: Transaction,
    message_id: str,
    reports: Sequence[NewReport],
    deliveries: Sequence[NewDelivery],
    *,
    is_left: bool,
) -> None:
    """Give birth to a message's reports; older versions give way (journal_succession.py).

    ``is_left`` says whether a posted draft is left to stand when a person has spoken.
    """
    unmapped_state(transaction, message_id, Event.MAP)
    for birth in plan_births(reports):
        _bear(transaction, message_id, birth, transaction.new_id(), is_left=is_left)
    transaction.execute("UPDATE message SET is_mapped = 1 WHERE id = ?", (message_id,))
    journal_outbox.queue(transaction, message_id, None, deliveries)


def _bear(
    transaction: Transaction, message_id: str, birth: Birth, report_id: str, *, is_left: bool
) -> None:
    event, reason = journal_succession.begin(
        transaction, message_id, birth, report_id, is_left=is_left
    )
    version = version_of(birth.report)
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


def record_drafted(
    transaction: Transaction, report_id: ReportId, draft: Draft, observation: DraftObservation
) -> None:
    """MAPPED -> DRAFTED, with the text and the bytes to post."""
    digest = sha256(observation.observation).hexdigest()
    move(transaction, report_id, Event.DRAFT, _drafting(draft) | {"observation_digest": digest})
    _store_draft(transaction, report_id, draft, observation)


def record_withheld(
    transaction: Transaction, report_id: ReportId, draft: Draft, reason: str
) -> None:
    """MAPPED -> WITHHELD, with the text; an older version's draft may not stand for it."""
    move(transaction, report_id, Event.WITHHOLD, _drafting(draft) | {"reason": reason})
    _store_draft(transaction, report_id, draft, None)
    journal_succession.withdraw_unfit(transaction, report_id)


def _drafting(draft: Draft) -> dict[str, str | int | None]:
    return {
        "engine": draft.engine.engine,
        "engine_version": draft.engine.engine_version,
        "base_digest": draft.engine.base_digest,
        "adapter_digest": draft.engine.adapter_digest,
        "template_version": draft.engine.template_version,
        "redraft": draft.engine.redraft,
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
) -> None:
    """DRAFTED -> POSTED, or a note on a report that moved on while its post was under way.

    Args:
        transaction: The open one.
        report_id: Whose draft was posted.
        detail: ``reference``, ``version_id`` and ``outcome`` of the server's answer.
        deliveries: What is to be sent now; nothing of a report that moved on is.
    """
    before, state = move(transaction, report_id, Event.POST, detail)
    _keep_reference(transaction, report_id, detail)
    if state is State.POSTED:
        journal_succession.record_place_taken(transaction, report_id, before.report_key)
        journal_outbox.queue(transaction, before.message_id, report_id, deliveries)


def record_retracted(
    transaction: Transaction,
    report_id: ReportId,
    detail: Detail,
    deliveries: Sequence[NewDelivery],
) -> None:
    """RETRACTING -> RETRACTED, or a note on one that moved on meanwhile.

    Args:
        transaction: The open one.
        report_id: In whose name the draft was taken back.
        detail: ``reference``, ``version_id`` and ``outcome`` of the server's answer.
        deliveries: What is to be sent now; an ORU only to a receiver that was sent one before.
    """
    stored = find_report(transaction, report_id)
    told_why: Detail = {**detail, "reason": stored.retracted_for}
    _, state = move(transaction, report_id, Event.RETRACT, told_why)
    _keep_reference(transaction, report_id, detail)
    if state is State.RETRACTED:
        told = journal_outbox.targets_of(transaction, stored.report_key, "oru")
        owed = [each for each in deliveries if each.kind != "oru" or each.target in told]
        journal_outbox.queue(transaction, stored.message_id, report_id, owed)


def _keep_reference(transaction: Transaction, report_id: str, detail: Detail) -> None:
    reference = storable(str(detail["reference"]))
    transaction.execute("UPDATE report SET reference = ? WHERE id = ?", (reference, report_id))


def record_retry(
    transaction: Transaction,
    report_id: ReportId,
    reason: str,
    not_before: datetime,
    *,
    was: State | None,
    is_counted: bool,
) -> None:
    """Wait as data; count the attempt when there was one."""
    until = time_text(not_before)
    detail = {"reason": reason, "not_before": until}
    move(transaction, report_id, Event.RETRY, detail, was=was)
    transaction.execute(
        "UPDATE report SET not_before = ?, attempts = attempts + ? WHERE id = ?",
        (until, is_counted, report_id),
    )


def record_exit(
    transaction: Transaction,
    report_id: ReportId,
    event: Event,
    reason: str,
    *,
    was: State | None,
) -> None:
    """SKIP or FAIL. What ends without a draft leaves none of an older version behind."""
    before, _ = move(transaction, report_id, event, {"reason": reason}, was=was)
    # A post that is skipped has found a human's work: nothing there is ours to take back.
    if before.state is State.MAPPED or (before.state is State.DRAFTED and event is Event.FAIL):
        journal_succession.withdraw_unfit(transaction, report_id)


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
    stored = find_report(transaction, report_id)
    if stored.state is State.FAILED and stored.retracted_for is not None:
        withdraw(transaction, report_id, {"reason": stored.retracted_for}, actor)
        return stored.state, State.RETRACTING
    has_observation = transaction.find(
        "SELECT 1 FROM draft WHERE report_id = ? AND observation IS NOT NULL", (report_id,)
    )
    is_repost = stored.state is State.FAILED and has_observation
    event = Event.REPOST if is_repost else Event.REDRAFT
    return stored.state, move(transaction, report_id, event, {}, actor=actor)[1]
