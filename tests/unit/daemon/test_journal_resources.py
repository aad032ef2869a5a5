"""FHIR messages in the journal: once each, by content and by condition."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.journal_resources import identify
from mappings.domain import RawReport, Standard

if TYPE_CHECKING:
    from daemon.journal_sqlite import SqliteJournal
    from tests.unit.daemon.conftest import HandClock

BY_NUMBER = [("identifier", "urn:x|7")]


def raw(clock: HandClock, digest: str, control_id: str = "") -> RawReport:
    return RawReport(
        standard=Standard.FHIR,
        door="http",
        sender="urn:ris|DEMO",
        message_control_id=control_id,
        message_type="DiagnosticReport",
        received_at=clock.now(),
        digest=digest,
        payload=b"{}",
    )


async def receive(
    journal: SqliteJournal, one: RawReport, *conditions: list[tuple[str, str]]
) -> tuple[str, bool, bool]:
    identity = identify(("urn:x|7", "|8"), conditions)
    received, is_met = await journal.receive_resource(one, peer="p", identity=identity)
    return received.message_id, received.is_duplicate, is_met


async def test_the_same_content_is_stored_once(journal: SqliteJournal, clock: HandClock) -> None:
    first = await receive(journal, raw(clock, "a"))
    again = await receive(journal, raw(clock, "a"))
    other = await receive(journal, raw(clock, "b"))

    assert again == (first[0], True, False)
    assert other[1:] == (False, False)
    assert len(await journal.pending_messages(9)) == 2


@pytest.mark.parametrize(
    "condition",
    [
        BY_NUMBER,
        [("identifier", "7")],
        [("identifier", "|8")],
        [("identifier", "8")],
    ],
)
async def test_a_condition_on_an_identifier_that_is_known_stores_nothing(
    journal: SqliteJournal, clock: HandClock, condition: list[tuple[str, str]]
) -> None:
    first, _, _ = await receive(journal, raw(clock, "a"))

    assert await receive(journal, raw(clock, "b"), condition) == (first, True, True)
    assert len(await journal.pending_messages(9)) == 1


@pytest.mark.parametrize(
    "condition",
    [[("identifier", "urn:y|7")], [("identifier", "urn:x|")], [("patient", "Patient/1")]],
)
async def test_a_condition_that_nothing_meets_stores(
    journal: SqliteJournal, clock: HandClock, condition: list[tuple[str, str]]
) -> None:
    await receive(journal, raw(clock, "a"))

    assert (await receive(journal, raw(clock, "b"), condition))[1:] == (False, False)


async def test_other_criteria_are_known_by_their_words_in_any_order(
    journal: SqliteJournal, clock: HandClock
) -> None:
    criteria = [("patient", "Patient/1"), ("code", "x|1")]

    first, _, _ = await receive(journal, raw(clock, "a"), criteria)

    assert await receive(journal, raw(clock, "b"), criteria[::-1]) == (first, True, True)


async def test_of_two_conditions_both_must_be_met(journal: SqliteJournal, clock: HandClock) -> None:
    await receive(journal, raw(clock, "a"))
    other = [("identifier", "urn:x|9")]

    assert (await receive(journal, raw(clock, "b"), BY_NUMBER, other))[2] is False
    assert (await receive(journal, raw(clock, "c"), BY_NUMBER, other))[2] is True


async def test_of_many_at_once_one_is_stored(journal: SqliteJournal, clock: HandClock) -> None:
    found = await asyncio.gather(
        *(receive(journal, raw(clock, str(n)), BY_NUMBER) for n in range(20))
    )

    assert len({one[0] for one in found}) == 1
    assert sum(not one[2] for one in found) == 1
    assert len(await journal.pending_messages(99)) == 1


async def test_a_refused_message_meets_no_condition(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await journal.refuse(raw(clock, "a"), peer="p", reason="resource_invalid", where=None)

    assert (await receive(journal, raw(clock, "a"), BY_NUMBER))[1:] == (False, False)


async def test_a_version_sent_with_other_content_is_stored_and_said_to_be_so(
    journal: SqliteJournal, clock: HandClock
) -> None:
    one = raw(clock, "a", "DiagnosticReport/1/_history/1")
    await receive(journal, one)

    received, _ = await journal.receive_resource(
        replace(one, digest="b"), peer="p", identity=identify((), ())
    )

    assert (received.is_duplicate, received.is_control_id_reused) == (False, True)


def test_what_is_kept_of_an_identifier_tells_nothing() -> None:
    identity = identify(("urn:x|QUETZALCANARY",), ([("identifier", "QUETZALCANARY")],))

    assert "QUETZALCANARY" not in str(identity)
    assert all(len(token) == 64 for token in identity.tokens)
