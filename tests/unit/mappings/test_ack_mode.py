"""Which acknowledgment is due: every combination of MSH-15, MSH-16, mode and verdict."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from mappings.ack_mode import AckCondition, AckMode, Verdict, plan_acks
from mappings.hl7_header import Header, peek_header

CONDITIONS = ("AL", "NE", "ER", "SU")


def header(accept: str, application: str) -> Header:
    return peek_header(
        f"MSH|^~\\&|RIS|HOSP|||2026||ORU^R01|1|P|2.5.1|||{accept}|{application}\r".encode()
    )


# What is heard at once of a yes and of a no (of a content fault and of a rejection alike), by
# MSH-15 and MSH-16, in enhanced mode; the C codes are accept acknowledgments.
FIRST = {
    ("AL", "AL"): "C C",
    ("AL", "NE"): "C C",
    ("AL", "ER"): "C C",
    ("AL", "SU"): "C C",
    ("NE", "AL"): "- A",
    ("NE", "NE"): "- -",
    ("NE", "ER"): "- A",
    ("NE", "SU"): "- -",
    ("ER", "AL"): "- C",
    ("ER", "NE"): "- C",
    ("ER", "ER"): "- C",
    ("ER", "SU"): "- C",
    ("SU", "AL"): "C A",
    ("SU", "NE"): "C -",
    ("SU", "ER"): "C A",
    ("SU", "SU"): "C -",
}
LATER = {"AL": ("AA", "AE"), "NE": (None, None), "ER": (None, "AE"), "SU": ("AA", None)}


def test_the_table_below_is_whole() -> None:
    assert set(FIRST) == set(product(CONDITIONS, CONDITIONS))


@pytest.mark.parametrize(("accept", "application"), list(FIRST))
@pytest.mark.parametrize("mode", ["auto", "enhanced"])
def test_enhanced_mode_answers_as_asked(accept: str, application: str, mode: AckMode) -> None:
    plan = plan_acks(header(accept, application), mode)

    yes, no = (None if letter == "-" else letter for letter in FIRST[accept, application].split())
    assert plan.first_code("A") == (yes and f"{yes}A")
    assert plan.first_code("E") == (no and f"{no}E")
    assert plan.first_code("R") == (no and f"{no}R")
    assert (plan.later_code(is_read=True), plan.later_code(is_read=False)) == LATER[application]
    assert plan.may_come_later == (application != "NE")


@pytest.mark.parametrize(
    ("accept", "application"), list(product(("", *CONDITIONS), ("", *CONDITIONS)))
)
@pytest.mark.parametrize("verdict", ["A", "E", "R"])
def test_original_mode_answers_always_and_at_once(
    accept: str, application: str, verdict: Verdict
) -> None:
    plan = plan_acks(header(accept, application), "original")

    assert plan.first_code(verdict) == f"A{verdict}"
    assert plan.later_code(is_read=True) is plan.later_code(is_read=False) is None


@pytest.mark.parametrize(("accept", "application"), [("", ""), ('""', '""'), ("XX", ""), ("", "Y")])
def test_auto_is_original_mode_where_neither_field_says_anything(
    accept: str, application: str
) -> None:
    plan = plan_acks(header(accept, application), "auto")

    assert plan.first_code("A") == "AA"
    assert not plan.may_come_later


@pytest.mark.parametrize("application", CONDITIONS)
def test_an_empty_accept_field_beside_a_valued_one_is_never(application: str) -> None:
    plan = plan_acks(header("", application), "auto")

    assert plan.accept is AckCondition.NEVER
    assert plan.first_code("A") is None


@pytest.mark.parametrize("accept", CONDITIONS)
def test_an_empty_application_field_beside_a_valued_one_is_never(accept: str) -> None:
    assert not plan_acks(header(accept, ""), "auto").may_come_later


@pytest.mark.parametrize("accept", ["", "XX"])
@pytest.mark.parametrize("application", ["", "XX", *CONDITIONS])
def test_a_listener_that_is_enhanced_always_says_whether_it_has_the_message(
    accept: str, application: str
) -> None:
    plan = plan_acks(header(accept, application), "enhanced")

    assert [plan.first_code(verdict) for verdict in ("A", "E", "R")] == ["CA", "CE", "CR"]


def test_a_word_that_we_do_not_know_does_not_silence_the_first_answer() -> None:
    assert plan_acks(header("YES", "NE"), "auto").first_code("A") == "CA"


@pytest.mark.parametrize(("accept", "application"), [("al", "ne"), (" AL ", "NE"), ("AL^x", "NE")])
def test_small_letters_and_blanks_are_read(accept: str, application: str) -> None:
    assert plan_acks(header(accept, application), "auto").first_code("A") == "CA"


@pytest.mark.parametrize(("mode", "code"), [("auto", "AE"), ("original", "AE"), ("enhanced", "CE")])
def test_what_has_no_header_is_answered(mode: AckMode, code: str) -> None:
    assert plan_acks(None, mode).first_code("E") == code


def table_row(accept: str, application: str) -> str:
    """Return a row of docs/ACKNOWLEDGMENTS.md as the code has it."""
    plan = plan_acks(header(accept, application), "auto")
    refused = [plan.first_code("E"), plan.first_code("R")]
    cells = [
        accept,
        application,
        plan.first_code("A") or "-",
        ", ".join(code for code in refused if code) or "-",
        plan.later_code(is_read=True) or "-",
        plan.later_code(is_read=False) or "-",
    ]
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize(("accept", "application"), list(FIRST))
def test_what_is_written_for_integrators_is_what_is_done(accept: str, application: str) -> None:
    written = (Path(__file__).parents[3] / "docs" / "ACKNOWLEDGMENTS.md").read_text("utf-8")

    assert table_row(accept, application) in written.splitlines()
