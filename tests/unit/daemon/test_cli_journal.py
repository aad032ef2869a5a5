"""Commands on a journal that a daemon has left: list, show, replay, pause, verify."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.delivery import NewDelivery
from daemon.errors import ConfigurationError
from daemon.journal import NewReport
from daemon.journal_sqlite import open_journal
from daemon.lifecycle import Event, State
from mappings.domain import ReportKey
from tests.unit.daemon.journal_samples import DRAFT, OBSERVATION, bring_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mappings.domain import Draft, RawReport, StudyReport
    from tests.unit.daemon.conftest import HandClock


@pytest.fixture
def filled(
    tmp_path: Path,
    clock: HandClock,
    make_raw: Callable[..., RawReport],
    make_study: Callable[..., StudyReport],
    make_draft: Callable[..., Draft],
) -> Path:
    """Leave a journal with one withheld report and one skipped."""

    async def fill() -> None:
        journal = open_journal(tmp_path / "journal.sqlite", clock=clock)
        first = await journal.receive(make_raw(b"first"), peer="test")
        second = await journal.receive(make_raw(b"second", message_control_id="M2"), peer="test")
        withheld = NewReport(make_study(), ReportKey("k1"), Event.MAP)
        skipped = NewReport(make_study(), ReportKey("k2"), Event.SKIP, "no_findings")
        await journal.record_mapped(first.message_id, [withheld])
        owed = NewDelivery("application_ack", "ris", b"MSH|ack\r", "A1")
        await journal.record_mapped(second.message_id, [skipped], deliveries=[owed])
        [delivery] = await journal.pending_deliveries(now=clock.now(), limit=1)
        await journal.record_delivery_failed(delivery.delivery_id, reason="sender_gone")
        [report] = await journal.pending_reports(State.MAPPED, now=clock.now(), limit=1)
        await journal.record_withheld(report.report_id, make_draft(), "empty:no_words")
        await journal.close()

    asyncio.run(fill())
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments, "--data", str(folder)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def rows(folder: Path, *arguments: str) -> list[dict[str, object]]:
    _, out = run(folder, "messages", "--json", *arguments)
    return [json.loads(line) for line in out.splitlines()]


def test_messages_lists_the_newest_first_and_by_state(filled: Path) -> None:
    assert {row["state"] for row in rows(filled)} == {"WITHHELD", "SKIPPED"}
    [skipped] = rows(filled, "--state", "SKIPPED")
    assert skipped["reason"] == "no_findings"
    assert rows(filled, "--accession", "A1")
    assert not rows(filled, "--accession", "A2")
    assert not rows(filled, "--since", "2027-01-01T00:00Z")


def test_the_list_for_people_has_a_line_for_each_report(filled: Path) -> None:
    _, out = run(filled, "messages")

    assert "WITHHELD" in out
    assert "SKIPPED" in out


def test_a_failed_delivery_is_shown_and_a_replay_sends_it_again(filled: Path) -> None:
    [row] = rows(filled, "--state", "SKIPPED")
    message_id = str(row["message_id"])
    _, out = run(filled, "show", message_id)
    [failed] = json.loads(run(filled, "show", message_id, "--json")[1])["deliveries"]

    said = run(filled, "replay", failed["delivery_id"])
    again, refused = run(filled, "replay", failed["delivery_id"], "--json")

    [due] = json.loads(run(filled, "show", message_id, "--json")[1])["deliveries"]
    assert f"delivery {failed['delivery_id']}  application_ack to ris  failed  sender_gone" in out
    assert (failed["payload"], failed["reason"]) == ("MSH|ack\r", "sender_gone")
    assert said == (0, f"{failed['delivery_id']}: failed -> due\n")
    assert (again, json.loads(refused)["error"]) == (1, "delivery_moved_on")
    assert due["state"] == "due"


def test_show_prints_texts_and_the_whole_trail(filled: Path) -> None:
    [row] = rows(filled, "--state", "WITHHELD")

    _, out = run(filled, "show", str(row["report_id"]))
    trail = json.loads(run(filled, "show", str(row["message_id"]), "--json")[1])

    assert "12 mm nodule in the right upper lobe." in out
    assert trail["reports"][0]["draft"] == "12 mm nodule in the right upper lobe."
    assert [entry["event"] for entry in trail["audit"]][-1] == "withhold"


def test_show_tells_which_redraft_was_taken(tmp_path: Path, clock: HandClock) -> None:
    async def fill() -> str:
        async with open_journal(tmp_path / "journal.sqlite", clock=clock) as journal:
            report_id = await bring_to(journal, State.MAPPED)
            draft = replace(DRAFT, engine=replace(DRAFT.engine, redraft=2))
            await journal.record_drafted(report_id, draft, OBSERVATION)
            return report_id

    report_id = asyncio.run(fill())

    _, out = run(tmp_path, "show", report_id)
    [shown] = json.loads(run(tmp_path, "show", report_id, "--json")[1])["reports"]

    assert f"  draft (redraft 2):\n{DRAFT.text}" in out
    assert shown["engine"]["redraft"] == 2


@pytest.mark.parametrize("state", [State.RETRACTING, State.RETRACTED])
def test_show_tells_of_a_draft_taken_back_and_why(
    tmp_path: Path, clock: HandClock, state: State
) -> None:
    async def fill() -> str:
        async with open_journal(tmp_path / "journal.sqlite", clock=clock) as journal:
            return await bring_to(journal, state)

    report_id = asyncio.run(fill())

    _, out = run(tmp_path, "show", report_id)
    [shown] = json.loads(run(tmp_path, "show", report_id, "--json")[1])["reports"]

    assert f"report {report_id}  {state}  report_cancelled" in out
    assert "taken back: report_cancelled" in out
    assert (shown["state"], shown["retracted_for"]) == (state.value, "report_cancelled")
    assert rows(tmp_path, "--state", state.value)


def test_replay_puts_withheld_work_back_and_refuses_the_rest_with_exit_1(filled: Path) -> None:
    [withheld] = rows(filled, "--state", "WITHHELD")
    [skipped] = rows(filled, "--state", "SKIPPED")

    ids = [str(row["report_id"]) for row in (skipped, withheld)]

    code, out = run(filled, "replay", "--json", "nobody", *ids)
    records = [json.loads(line) for line in out.splitlines()]

    assert code == 1
    assert records == [
        {"id": "nobody", "from_state": None, "to_state": None, "error": "unknown_id"},
        {"id": ids[0], "from_state": "SKIPPED", "to_state": None, "error": "illegal_transition"},
        {"id": ids[1], "from_state": "WITHHELD", "to_state": "MAPPED", "error": None},
    ]
    assert rows(filled, "--state", "MAPPED")


def test_replay_says_to_a_person_what_it_did(filled: Path) -> None:
    [withheld] = rows(filled, "--state", "WITHHELD")

    assert run(filled, "replay", str(withheld["report_id"])) == (
        0,
        f"{withheld['report_id']}: WITHHELD -> MAPPED\n",
    )


def test_pause_and_resume_are_kept_and_audited(filled: Path) -> None:
    assert run(filled, "pause") == (0, "posting is paused\n")
    assert run(filled, "resume") == (0, "posting goes on\n")

    assert run(filled, "audit", "verify")[0] == 0


def test_verify_says_whole_with_the_head_and_exits_1_for_a_head_it_never_had(
    filled: Path,
) -> None:
    code, out = run(filled, "audit", "verify")
    head = out.split()[-1]
    known, _ = run(filled, "audit", "verify", "--head", head)
    unknown, report = run(filled, "audit", "verify", "--head", "f" * 64, "--json")

    assert (code, known, unknown) == (0, 0, 1)
    assert json.loads(report)["reason"] == "head_missing"


@pytest.mark.parametrize(
    ("arguments", "where"), [(["messages", "--since", "yesterday"], "--since")]
)
def test_a_wrong_option_names_itself(filled: Path, arguments: list[str], where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        run(filled, *arguments)

    assert caught.value.where == where


def test_without_a_journal_the_operator_is_told_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        run(tmp_path, "messages")

    assert caught.value.where == str(tmp_path / "journal.sqlite")
