"""Health pages tell what is so now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.delivery import NewDelivery
from daemon.errors import JournalUnavailableError
from daemon.health import Health
from daemon.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import RawReport


class Supervisor:
    def __init__(self, *, is_ready: bool) -> None:
        self.is_ready = is_ready


def health(
    journal: SqliteJournal,
    *,
    is_shadow: bool = False,
    are_doors_open: bool = True,
    is_model_ready: bool = True,
) -> Health:
    return Health(
        journal,
        Supervisor(is_ready=is_model_ready),  # type: ignore[arg-type]
        Metrics(),
        is_shadow=is_shadow,
        are_doors_open=lambda: are_doors_open,
    )


async def test_a_model_that_is_not_there_yet_does_not_close_the_doors(
    journal: SqliteJournal,
) -> None:
    readiness = await health(journal, is_model_ready=False).ready()

    assert readiness.is_ready
    assert readiness.checks == {
        "journal": "ok",
        "doors": "open",
        "model": "not_ready",
        "posting": "running",
    }


async def test_a_disk_that_takes_no_writes_is_not_ready_until_it_takes_them_again(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse() -> None:
        raise JournalUnavailableError("disk_full")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "check_writable", refuse)
        full = await health(journal).ready()
        metrics_of_full = await health(journal).metrics_text()
    again = await health(journal).ready()

    assert (full.is_ready, full.checks["journal"]) == (False, "unavailable")
    assert b"prelim_ready 0.0" in metrics_of_full
    assert again.is_ready
    assert b"prelim_ready 1.0" in await health(journal).metrics_text()


async def test_closed_doors_are_not_ready(journal: SqliteJournal) -> None:
    assert not (await health(journal, are_doors_open=False).ready()).is_ready


@pytest.mark.parametrize(
    ("is_shadow", "is_paused", "posting"),
    [(False, False, "running"), (False, True, "paused"), (True, False, "shadow")],
)
async def test_readiness_and_metrics_say_whether_anything_is_posted(
    journal: SqliteJournal, *, is_shadow: bool, is_paused: bool, posting: str
) -> None:
    if is_paused:
        await journal.set_paused(is_paused=True, actor="operator:test")
    page = health(journal, is_shadow=is_shadow)

    readiness, metrics = await page.ready(), (await page.metrics_text()).decode()

    assert readiness.checks["posting"] == posting
    assert f"prelim_posting_paused {float(is_paused)}" in metrics
    assert f"prelim_posting_shadow {float(is_shadow)}" in metrics


async def test_metrics_count_what_the_journal_holds_now(
    journal: SqliteJournal, make_raw: Callable[..., RawReport]
) -> None:
    await journal.receive(make_raw(), peer="test")
    other = await journal.receive(make_raw(b"MSH|^~\\&|B\r", message_control_id="M2"), peer="test")
    owed = NewDelivery("application_ack", "ris", b"MSH|", "A1")
    await journal.record_rejected(other.message_id, "bad", None, deliveries=[owed])

    metrics = (await health(journal).metrics_text()).decode()

    assert 'prelim_in_state{state="RECEIVED"} 1.0' in metrics
    assert 'prelim_deliveries_due{kind="application_ack",target="ris"} 1.0' in metrics
