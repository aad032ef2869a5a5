"""The ledger of a cleaning: what came in, what each rule took, what is left. It holds no text."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from model.corpora.schema import CorpusRow

VERSION = "cleaning/1"
PARTS_OF_ROW = ("site", "region", "modality", "language")


@dataclass(frozen=True, slots=True)
class RuleCount:
    """What a rule took.

    Attributes:
        alone: Rows it would take if it were the only rule, whether or not it is switched on.
        taken: Rows it took in its place of the funnel; 0 when it is switched off.
        left: Rows left after it.
    """

    rule: str
    meaning: str
    is_enabled: bool
    alone: int
    taken: int
    left: int


@dataclass(slots=True)
class Tally:
    """Rows read and rows kept, by what a row says of itself."""

    read: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in PARTS_OF_ROW}
    )
    kept: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in PARTS_OF_ROW}
    )

    def count(self, row: CorpusRow, *, is_kept: bool) -> None:
        """Count a row."""
        for name in PARTS_OF_ROW:
            value = str(getattr(row, name) or "unknown")
            self.read[name][value] += 1
            self.kept[name][value] += is_kept

    def as_dict(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return part, value, {read, kept}, in the order of the values."""
        return {
            name: {
                value: {"read": count, "kept": self.kept[name][value]}
                for value, count in sorted(self.read[name].items())
            }
            for name in PARTS_OF_ROW
        }


@dataclass(frozen=True, slots=True)
class Ledger:
    """The whole account. The same corpus and settings give the same ledger."""

    source_sha256: str
    kept_sha256: str
    rows: int
    kept: int
    rules: tuple[RuleCount, ...]
    parts: dict[str, dict[str, dict[str, int]]]
    settings: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the ledger for JSON and for an adapter's card."""
        return {"version": VERSION} | asdict(self)


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Write ledger.json."""
    path.write_text(json.dumps(ledger.as_dict(), indent=2) + "\n", encoding="utf-8")
