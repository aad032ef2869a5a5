"""The FHIR door's clerk: nothing is promised before the disk, and what is refused is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import structlog

from daemon.errors import JournalUnavailableError
from daemon.fhir_intake import INLINE_BYTES_MAX, FhirDoorIntake
from daemon.lifecycle import State
from daemon.metrics import Metrics
from interfaces.errors import RequestRefusedError
from interfaces.fhir_door import FhirArrival, FhirReceipt
from mappings.errors import ResourceRefusedError
from mappings.fhir_in_header import FhirRelease

if TYPE_CHECKING:
    from daemon.journal_resources import ResourceIdentity
    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import RawReport
    from tests.unit.daemon.conftest import HandClock

REPORT: dict[str, object] = {
    "resourceType": "DiagnosticReport",
    "meta": {"source": "http://ris.demo.example"},
    "identifier": [{"system": "urn:x", "value": "7"}],
    "status": "preliminary",
    "code": {"text": "CT chest"},
}


class Door:
    """An intake with all that it needs."""

    def __init__(self, journal: object, clock: HandClock) -> None:
        self.metrics = Metrics()
        self.woken = 0
        self.is_open = True
        self.intake = FhirDoorIntake(
            journal,  # type: ignore[arg-type]
            clock=clock,
            metrics=self.metrics,
            wake_next=self._wake,
            is_open=lambda: self.is_open,
        )

    def _wake(self) -> None:
        self.woken += 1

    async def take(
        self, resource: object = REPORT, wanted: str = "DiagnosticReport", **more: object
    ) -> FhirReceipt:
        body = resource if isinstance(resource, bytes) else json.dumps(resource).encode()
        values = {"wanted": wanted, "release": None, "peer": "ris@127.0.0.1", **more}
        return await self.intake.take(FhirArrival(body, **values))  # type: ignore[arg-type]

    def counted(self, result: str) -> float | None:
        labels = {"door": "http", "result": result}
        return self.metrics.registry.get_sample_value("prelim_messages_total", labels)


@pytest.fixture
def door(journal: SqliteJournal, clock: HandClock) -> Door:
    return Door(journal, clock)


class FullDisk:
    async def receive_resource(self, *_: object, **__: object) -> None:
        raise JournalUnavailableError("disk_full")

    async def refuse(self, *_: object, **__: object) -> None:
        raise JournalUnavailableError("disk_full")


def bundle(kind: str, *resources: dict[str, object], **request: str) -> dict[str, object]:
    entries = [{"resource": one} | ({"request": request} if request else {}) for one in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


async def test_a_report_is_on_disk_byte_for_byte_when_its_yes_is_given(
    door: Door, journal: SqliteJournal
) -> None:
    body = json.dumps(REPORT, indent=3).encode()

    receipt = await door.take(body)

    [pending] = await journal.pending_messages(9)
    assert pending.message_id == receipt.message_id
    assert pending.raw.payload == body
    assert (pending.raw.standard, pending.raw.door, pending.raw.origin) == ("fhir", "http", "")
    assert pending.raw.sender == "http://ris.demo.example|"
    assert (door.woken, door.counted("accepted")) == (1, 1)
    assert not receipt.is_known


async def test_a_sender_is_known_to_wait_until_its_answer_is_made(
    door: Door, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    receive = journal.receive_resource

    async def look(raw: RawReport, *, peer: str, identity: ResourceIdentity) -> object:
        seen.append(door.intake.is_answering)
        return await receive(raw, peer=peer, identity=identity)

    monkeypatch.setattr(journal, "receive_resource", look)
    await door.take()

    assert (seen, door.intake.is_answering) == ([True], False)


async def test_no_yes_is_given_while_the_disk_has_not_answered(clock: HandClock) -> None:
    door = Door(FullDisk(), clock)

    with pytest.raises(RequestRefusedError) as caught:
        await door.take()

    assert (caught.value.status, caught.value.code) == (503, "transient")
    assert (door.woken, door.counted("unstored")) == (0, 1)


async def test_what_cannot_be_taken_is_told_so_even_when_it_cannot_be_kept(
    clock: HandClock,
) -> None:
    with pytest.raises(ResourceRefusedError):
        await Door(FullDisk(), clock).take(b"nonsense")


async def test_nothing_is_taken_while_the_daemon_starts_or_drains(
    door: Door, journal: SqliteJournal
) -> None:
    door.is_open = False

    with pytest.raises(RequestRefusedError) as caught:
        await door.take()

    assert (caught.value.status, caught.value.reason) == (503, "not_taking")
    assert await journal.pending_messages(9) == []


async def test_a_report_sent_again_gets_the_same_yes_and_is_kept_once(
    door: Door, journal: SqliteJournal
) -> None:
    first = await door.take(
        REPORT | {"meta": {"versionId": "1", "lastUpdated": "2026-03-04T10:00:00Z"}}
    )
    again = await door.take(
        REPORT | {"meta": {"versionId": "1", "lastUpdated": "2026-03-04T11:00:00Z"}}
    )

    assert again.message_id == first.message_id
    assert again.is_known
    assert len(await journal.pending_messages(9)) == 1
    assert (door.woken, door.counted("duplicate")) == (1, 1)


async def test_new_content_under_an_old_version_is_never_lost(
    door: Door, journal: SqliteJournal
) -> None:
    """A client reads a report, changes it and posts it with the versionId that it had read."""
    named = REPORT | {"id": "1", "meta": {"versionId": "1"}}
    await door.take(named)

    with structlog.testing.capture_logs() as lines:
        await door.take(named | {"status": "final"})

    assert len(await journal.pending_messages(9)) == 2
    assert "journal.control_id_reused" in {line["event"] for line in lines}


async def test_a_condition_is_asked_of_the_request(door: Door, journal: SqliteJournal) -> None:
    first = await door.take()
    condition = (("identifier", "urn:x|7"),)

    second = await door.take(REPORT | {"status": "final"}, condition=condition)

    assert (second.message_id, second.is_condition_met) == (first.message_id, True)
    assert len(await journal.pending_messages(9)) == 1


async def test_a_condition_is_asked_of_each_report_of_a_transaction(
    door: Door, journal: SqliteJournal
) -> None:
    await door.take()
    request = {"method": "POST", "url": "x", "ifNoneExist": "identifier=urn:x%7C7"}
    both = bundle("transaction", REPORT, **request)
    half = bundle("transaction", REPORT, **request)
    half["entry"] += [  # type: ignore[operator]
        {"resource": REPORT, "request": {"method": "POST", "url": "DiagnosticReport"}}
    ]

    known = await door.take(both, "Bundle")
    new = await door.take(half, "Bundle")

    assert (known.is_condition_met, new.is_condition_met) == (True, False)
    assert known.entries == ("DiagnosticReport",)
    assert len(await journal.pending_messages(9)) == 2


@pytest.mark.parametrize(
    ("resource", "more", "reason"),
    [
        (b"{", {}, "not_json"),
        (b"<DiagnosticReport/>", {}, "not_json"),
        (bundle("collection", REPORT), {}, "type_differs_from_url"),
        (REPORT, {"wanted": "Bundle"}, "type_differs_from_url"),
        (bundle("collection", REPORT), {"wanted": "message"}, "bundle_type_not_supported"),
        (REPORT | {"id": "8"}, {"id": "7"}, "id_differs_from_url"),
        (REPORT | {"context": {"reference": "Encounter/1"}}, {}, "fhir_version_not_supported"),
        (REPORT | {"QUETZALCANARY": 1}, {}, "resource_invalid"),
        (REPORT | {"study": [{"reference": "x"}]}, {"release": FhirRelease.R4}, "resource_invalid"),
        (REPORT | {"status": "QUETZALCANARY"}, {}, "status_unknown"),
        ({"resourceType": "Patient"}, {"wanted": "Bundle"}, "type_differs_from_url"),
        (
            bundle("transaction", REPORT, method="POST", url="x", ifNoneExist="identifier="),
            {"wanted": "Bundle"},
            "if_none_exist_invalid",
        ),
    ],
)
async def test_what_is_refused_is_kept_and_told_in_words_of_ours(
    door: Door,
    journal: SqliteJournal,
    resource: object,
    more: dict[str, object],
    reason: str,
) -> None:
    with structlog.testing.capture_logs() as lines, pytest.raises(ResourceRefusedError) as caught:
        await door.take(resource, **more)

    [row] = await journal.rows(state=State.REJECTED)
    assert (caught.value.reason, row.reason) == (reason, reason)
    assert "QUETZALCANARY" not in str(caught.value) + str(lines)
    assert [line["event"] for line in lines] == ["journal.message_refused"]
    assert (door.woken, door.counted("refused")) == (0, 1)


async def test_a_long_body_is_judged_all_the_same(door: Door) -> None:
    note = "x" * INLINE_BYTES_MAX

    receipt = await door.take(REPORT | {"conclusion": note})

    assert not receipt.is_known
    with pytest.raises(ResourceRefusedError):
        await door.take(REPORT | {"conclusion": note, "status": "x"})


async def test_a_message_s_receipt_names_its_header(door: Door) -> None:
    header = {
        "resourceType": "MessageHeader",
        "id": "m-1",
        "eventUri": "urn:x:report",
        "source": {"endpoint": "http://ris.demo.example"},
    }

    receipt = await door.take(bundle("message", header, REPORT), "message")

    assert receipt.bundle_type == "message"
    assert receipt.message_header == ("m-1", {"eventUri": "urn:x:report"})
    assert receipt.entries == ("MessageHeader", "DiagnosticReport")


async def test_the_time_of_every_answer_is_counted(door: Door) -> None:
    await door.take()
    with pytest.raises(ResourceRefusedError):
        await door.take(b"{")

    labels = {"door": "http"}
    count = door.metrics.registry.get_sample_value("prelim_answer_seconds_count", labels)
    assert count == 2
