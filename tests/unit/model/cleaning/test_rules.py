"""The table of rules is whole, and a row's flags can be read back."""

from __future__ import annotations

from model.cleaning.rules import BITS, ROW_RULES, flag_row, named_in
from model.cleaning.settings import RULES, CleaningSettings
from model.corpora.schema import CorpusRow


def test_every_rule_has_a_bit_and_all_but_the_likeness_rules_a_function() -> None:
    assert tuple(BITS) == RULES
    assert set(RULES) - set(ROW_RULES) == {"duplicate", "near_duplicate"}


def test_a_row_is_flagged_by_each_rule_it_breaks_even_one_that_is_off() -> None:
    settings = CleaningSettings.model_validate({"addendum": {"enabled": False}})
    row = CorpusRow("r", findings="ADDENDUM: the lungs are clear.", impression="")

    assert named_in(flag_row(row, settings)) == ["empty_part", "too_short", "addendum"]
