"""How right each rule is, against a corpus whose damage is known (model/cleaning/dirt.py)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.cleaning.dirt import CLEAN
from model.cleaning.settings import RULES
from model.corpora.schema import open_private
from model.errors import CorpusUnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from model.cleaning.funnel import Funnel


@dataclass(frozen=True, slots=True)
class RuleJudgement:
    """How right a rule is by itself, whatever the others take.

    Attributes:
        damaged: Rows damaged for this rule.
        flagged: Rows it would take.
        right: Of those, the ones damaged for it.
        otherwise_damaged: Of those, the ones damaged for another rule: an empty part is short, too.
        clean: Of those, the ones that nobody damaged.
    """

    rule: str
    damaged: int
    flagged: int
    right: int
    otherwise_damaged: int
    clean: int

    @property
    def precision(self) -> float | None:
        """Share of the flagged rows that are damaged for this rule; None without any."""
        return self.right / self.flagged if self.flagged else None

    @property
    def precision_any(self) -> float | None:
        """Share of the flagged rows that are damaged at all."""
        return 1 - self.clean / self.flagged if self.flagged else None

    @property
    def recall(self) -> float | None:
        """Share of the rows damaged for this rule that it flags."""
        return self.right / self.damaged if self.damaged else None

    def as_dict(self) -> dict[str, str | int | float | None]:
        """Return the numbers for JSON, shares to four places."""
        shares = {
            name: None if value is None else round(value, 4)
            for name, value in (
                ("precision", self.precision),
                ("precision_any", self.precision_any),
                ("recall", self.recall),
            )
        }
        return {
            "rule": self.rule,
            "damaged": self.damaged,
            "flagged": self.flagged,
            "right": self.right,
            "otherwise_damaged": self.otherwise_damaged,
            "clean": self.clean,
            **shares,
        }


def judge_rules(funnel: Funnel, truth: Mapping[str, str]) -> list[RuleJudgement]:
    """Judge every rule.

    Args:
        funnel: What the rules said of each row.
        truth: Report id to the rule it was damaged for, or ``clean``.

    Raises:
        CorpusUnreadableError: A row of the corpus has no truth.
    """
    missing = next((name for name in funnel.report_ids if name not in truth), None)
    if missing is not None:
        raise CorpusUnreadableError("row_without_truth", "--truth")
    told = [truth[name] for name in funnel.report_ids]
    return [_judge(funnel, told, rule) for rule in RULES]


def _judge(funnel: Funnel, told: list[str], rule: str) -> RuleJudgement:
    flagged = Counter(damage for place, damage in enumerate(told) if funnel.is_flagged(place, rule))
    count = flagged.total()
    return RuleJudgement(
        rule=rule,
        damaged=told.count(rule),
        flagged=count,
        right=flagged[rule],
        otherwise_damaged=count - flagged[rule] - flagged[CLEAN],
        clean=flagged[CLEAN],
    )


def write_truth(path: Path, truth: Iterable[tuple[str, str]]) -> None:
    """Write report ids with the rule each was damaged for, as JSON lines."""
    with open_private(path) as file:
        for report_id, rule in truth:
            file.write(json.dumps({"report_id": report_id, "rule": rule}) + "\n")


def read_truth(path: Path) -> dict[str, str]:
    """Read what ``write_truth`` wrote.

    Raises:
        CorpusUnreadableError: It is not there, or a line is something else.
    """
    truth: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                told = json.loads(line)
                if not isinstance(told, dict) or told.get("rule") not in {CLEAN, *RULES}:
                    raise CorpusUnreadableError("truth_unknown", f"line {number}")
                truth[str(told.get("report_id"))] = told["rule"]
    except OSError as error:
        raise CorpusUnreadableError(f"cannot_read_file ({type(error).__name__})") from None
    except ValueError:
        raise CorpusUnreadableError("truth_not_json", str(path)) from None
    return truth
