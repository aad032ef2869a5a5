"""The ledger's counts and its file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mappings.domain import Region
from model.cleaning.ledger import VERSION, Ledger, RuleCount, Tally, write_ledger
from model.corpora.schema import CorpusRow

if TYPE_CHECKING:
    from pathlib import Path


def test_rows_are_tallied_by_what_they_say_of_themselves() -> None:
    tally = Tally()
    tally.count(CorpusRow("a", site="north", region=Region.CHEST), is_kept=True)
    tally.count(CorpusRow("b", site="north"), is_kept=False)

    assert tally.as_dict()["site"] == {"north": {"read": 2, "kept": 1}}
    assert tally.as_dict()["region"] == {
        "chest": {"read": 1, "kept": 1},
        "unknown": {"read": 1, "kept": 0},
    }


def test_the_file_holds_the_ledger_with_its_version(tmp_path: Path) -> None:
    rule = RuleCount("addendum", "Holds one.", is_enabled=True, alone=3, taken=2, left=8)
    ledger = Ledger("s", "k", 10, 8, (rule,), {}, {"samples_per_rule": 1})

    write_ledger(tmp_path / "ledger.json", ledger)

    told = json.loads((tmp_path / "ledger.json").read_text())
    assert told == json.loads(json.dumps(ledger.as_dict()))
    assert told["version"] == VERSION
    assert told["rules"][0]["taken"] == 2
