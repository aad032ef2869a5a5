"""The rules by name: which function answers for a row alone; duplicates need all rows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model.cleaning import report_rules, text_rules
from model.cleaning.settings import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from model.cleaning.settings import CleaningSettings
    from model.corpora.schema import CorpusRow

ROW_RULES: Mapping[str, Callable[[CorpusRow, Any], bool]] = {
    "encoding_damage": text_rules.has_encoding_damage,
    "not_a_report": text_rules.is_no_report,
    "empty_part": text_rules.has_empty_part,
    "templated_part": text_rules.has_templated_part,
    "too_short": text_rules.is_too_short,
    "too_long": text_rules.is_too_long,
    "other_language": text_rules.is_other_language,
    "addendum": text_rules.has_addendum,
    "wrong_exam": report_rules.is_wrong_exam,
    "impression_longer": report_rules.is_impression_longer,
    "impression_copied": report_rules.is_impression_copied,
    "side_contradiction": report_rules.has_side_contradiction,
}
BITS: Mapping[str, int] = {rule: 1 << place for place, rule in enumerate(RULES)}
"""Each rule's bit in a row's flags."""


def flag_row(row: CorpusRow, settings: CleaningSettings) -> int:
    """Return the bits of the rules that would take a row by itself, switched on or not."""
    return sum(
        BITS[name] for name, is_hit in ROW_RULES.items() if is_hit(row, settings.switch(name))
    )


def named_in(flags: int) -> list[str]:
    """Return the names of the rules whose bits are set, in the order of the funnel."""
    return [rule for rule, bit in BITS.items() if flags & bit]
