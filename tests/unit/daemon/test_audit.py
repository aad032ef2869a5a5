"""The audit chain: one text per entry, and no change, gap or cut that goes unseen."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.audit import (
    COLUMNS,
    GENESIS,
    Change,
    Head,
    canonical_json,
    decode_entry,
    link_entry,
    verify_entries,
)
from daemon.lifecycle import State
from tests.unit.daemon.journal_samples import START

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = tuple[Any, ...]
CHANGES = [
    Change("receive", "m1", to_state=State.RECEIVED, detail={"bytes": 12, "digest": "d" * 64}),
    Change("map", "m1", "r1", State.RECEIVED, State.MAPPED, {"site": "Zürich", "reason": None}),
    Change("pause", actor="anna"),
    Change("fail", "m1", "r1", State.MAPPED, State.FAILED, {"reason": "prompt_refused"}),
]


def make_chain(changes: Sequence[Change] = CHANGES) -> list[Row]:
    rows: list[Row] = []
    head = Head()
    for change in changes:
        row = link_entry(head, START, change)
        head = Head(row[0], row[-1])
        rows.append(row)
    return rows


def put(row: Row, column: str, value: object) -> Row:
    return tuple(value if name == column else old for name, old in zip(COLUMNS, row, strict=True))


TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.none()


@given(st.dictionaries(st.text(), TEXTS | st.integers() | st.booleans()), TEXTS, st.text())
def test_whatever_an_entry_says_is_hashed_as_its_canonical_json(
    detail: dict[str, str | int | None], message_id: str | None, actor: str
) -> None:
    change = Change("map", message_id, None, State.RECEIVED, State.MAPPED, detail, actor)

    row = link_entry(Head(), START, change)

    assert verify_entries([row]).is_whole
    assert decode_entry(row).detail == detail


def test_an_entry_is_hashed_over_the_previous_hash_and_its_canonical_json() -> None:
    first, second, *_ = make_chain()

    text = (
        '{"actor":"prelim","at":"2026-03-01T08:00:00.000000+00:00",'
        '"detail":{"reason":null,"site":"Zürich"},"event":"map","from_state":"RECEIVED",'
        '"message_id":"m1","report_id":"r1","sequence":2,"to_state":"MAPPED"}'
    )
    assert first[-2] == GENESIS
    assert second[-2] == first[-1]
    assert second[-1] == sha256((first[-1] + text).encode()).hexdigest()


def test_a_stored_entry_reads_back() -> None:
    row = make_chain()[1]

    entry = decode_entry(row)

    assert (entry.sequence, entry.at, entry.actor, entry.event) == (2, START, "prelim", "map")
    assert (entry.message_id, entry.report_id) == ("m1", "r1")
    assert (entry.from_state, entry.to_state) == ("RECEIVED", "MAPPED")
    assert entry.detail == {"site": "Zürich", "reason": None}
    assert (entry.previous_hash, entry.entry_hash) == row[-2:]


def test_a_whole_chain_is_whole() -> None:
    rows = make_chain()

    verdict = verify_entries(rows)

    assert (verdict.is_whole, verdict.entries, verdict.head) == (True, 4, rows[-1][-1])
    assert (verdict.first_broken, verdict.reason) == (None, None)


def test_an_empty_chain_is_whole_and_its_head_is_genesis() -> None:
    verdict = verify_entries([], head=GENESIS)

    assert (verdict.is_whole, verdict.entries, verdict.head) == (True, 0, GENESIS)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("sequence", 9),
        ("at", "2026-03-01T08:00:00.000001+00:00"),
        ("at", "2026-03-01T08:00:00+00:00"),  # the same instant, written otherwise
        ("actor", "eve"),
        ("message_id", None),
        ("report_id", "r2"),
        ("event", "skip"),
        ("from_state", None),
        ("to_state", "SKIPPED"),
        ("detail", '{"reason":null,"site":"Bern"}'),
        ("detail", '{"reason": null, "site": "Zürich"}'),  # the same object, written otherwise
        ("detail", "{}"),
        ("detail", "no JSON"),
        ("detail", None),
        ("detail", b"\xff"),
        ("actor", b"prelim"),
        ("previous_hash", "f" * 64),
        ("previous_hash", None),
        ("entry_hash", "f" * 64),
    ],
)
def test_a_change_of_any_column_is_found_where_it_is(column: str, value: object) -> None:
    rows = make_chain()
    rows[1] = put(rows[1], column, value)

    verdict = verify_entries(rows)

    assert (verdict.is_whole, verdict.first_broken, verdict.reason) == (False, 2, "changed")
    assert (verdict.entries, verdict.head) == (1, rows[0][-1])


def test_a_removed_entry_is_a_gap() -> None:
    rows = make_chain()
    del rows[2]

    verdict = verify_entries(rows)

    assert (verdict.is_whole, verdict.first_broken, verdict.reason) == (False, 3, "gap")


def test_a_chain_without_its_first_entries_is_a_gap() -> None:
    verdict = verify_entries(make_chain()[1:])

    assert (verdict.is_whole, verdict.first_broken, verdict.reason) == (False, 1, "gap")


def test_an_entry_replaced_by_a_well_formed_one_breaks_the_next() -> None:
    rows = make_chain()
    rows[1] = link_entry(Head(1, rows[0][-1]), START, Change("skip", "m1", "r1"))

    verdict = verify_entries(rows)

    assert (verdict.is_whole, verdict.first_broken, verdict.reason) == (False, 3, "changed")


def test_an_earlier_head_is_found() -> None:
    rows = make_chain()

    assert all(verify_entries(rows, head=row[-1]).is_whole for row in rows)


def test_a_chain_cut_at_its_tail_no_longer_has_its_head() -> None:
    rows = make_chain()

    verdict = verify_entries(rows[:-1], head=rows[-1][-1])

    assert (verdict.is_whole, verdict.first_broken, verdict.reason) == (False, None, "head_missing")


def test_a_chain_rewritten_from_its_start_no_longer_has_its_head() -> None:
    head = make_chain()[-1][-1]
    rewritten = make_chain([*CHANGES[:3], Change("post", "m1", "r1", None, State.POSTED)])

    assert verify_entries(rewritten).is_whole
    assert verify_entries(rewritten, head=head).reason == "head_missing"


def test_text_that_utf8_cannot_hold_is_written_out() -> None:
    row = link_entry(Head(), START, Change("pause", actor="\udce9", detail={"x": "\ud800"}))

    assert verify_entries([json.loads(json.dumps(row))]).is_whole
    assert decode_entry(row).actor == "\\udce9"


def test_canonical_json_is_one_text_whatever_the_order() -> None:
    assert canonical_json({"b": 1, "a": "é"}) == canonical_json({"a": "é", "b": 1})
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'
