"""The reports of a run: read, tokenised, counted, and told about in the adapter's card.

A row that cannot be asked or learned (no findings, no impression, longer than the base's context)
is passed over and counted by its reason; the card never holds a text.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from model.corpora.schema import read_corpus
from model.errors import CorpusUnreadableError, PromptRefusedError
from model.tokenising import PromptTokeniser
from model.training.rows import TrainingRow, training_row

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from model.corpora.schema import CorpusRow
    from model.prompt import PromptPlan

SPLITS = ("train", "dev")
PARTS = ("language", "region", "modality", "site")
UNTOLD = "untold"
LEDGER_FIELDS = frozenset({"rows", "kept", "rules"})
"""What the card reads of it: a file that lacks them is refused now, not when a run has ended."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Rows of both splits, and what the card says of them."""

    train: list[TrainingRow] = field(repr=False)
    dev: list[TrainingRow] = field(repr=False)
    parts: list[tuple[str, ...]] = field(repr=False)
    """Of each row of ``train``, its value of each of ``PARTS``."""
    facts: dict[str, Any]


def read_training_data(
    folder: Path, tokenizer: Any, plan: PromptPlan, *, tokens_max: int
) -> TrainingData:
    """Read the corpus of a run.

    Args:
        folder: With train.jsonl and dev.jsonl, rows as ``CorpusRow``; corpus.json (of ``prelim
            synth`` or ``prelim corpus split``) and ledger.json (of ``prelim clean``) where known.
        tokenizer: Of the base.
        plan: What of a report the prompt tells.
        tokens_max: The longest row the base can take.

    Raises:
        CorpusUnreadableError: A file is missing or no corpus, or no row of it can be used.
    """
    reader = _Reader(PromptTokeniser(tokenizer), tokenizer.eos_token_id, plan, tokens_max)
    rows = {"train": reader.read(folder / "train.jsonl")}
    parts, reader.parts = reader.parts, []
    rows["dev"] = reader.read(folder / "dev.jsonl")
    facts = {
        "seen": count_parts(parts),
        "counts": {split: len(rows[split]) for split in SPLITS},
        "sha256": digests_of(folder),
        "passed_over": dict(sorted(reader.passed_over.items())),
        "corpus": _told(folder / "corpus.json", frozenset()),
        "cleaning": _told(folder / "ledger.json", LEDGER_FIELDS),
    }
    return TrainingData(rows["train"], rows["dev"], parts, facts)


def count_parts(rows: Iterable[tuple[str, ...]]) -> dict[str, dict[str, int]]:
    """Count the values of each part, the most frequent first."""
    told = list(rows)
    return {
        part: dict(Counter(row[at] for row in told).most_common()) for at, part in enumerate(PARTS)
    }


@dataclass(slots=True)
class _Reader:
    tokeniser: PromptTokeniser
    end_id: int
    plan: PromptPlan
    tokens_max: int
    passed_over: Counter[str] = field(default_factory=Counter)
    parts: list[tuple[str, ...]] = field(default_factory=list)

    def read(self, path: Path) -> list[TrainingRow]:
        rows: list[TrainingRow] = []
        for report in read_corpus(path):
            row = self._row(report)
            if isinstance(row, str):
                self.passed_over[row] += 1
            else:
                rows.append(row)
                self.parts.append(tuple(str(getattr(report, part) or UNTOLD) for part in PARTS))
        if not rows:
            raise CorpusUnreadableError("no_usable_rows", str(path))
        return rows

    def _row(self, report: CorpusRow) -> TrainingRow | str:
        """Return the row, or the reason why it cannot be used."""
        if not report.impression.strip():
            return "impression_empty"
        try:
            row = training_row(report, self.tokeniser, self.end_id, self.plan)
        except PromptRefusedError as error:
            return error.reason
        if len(row.token_ids) > self.tokens_max:
            return "longer_than_context"
        return row


def _told(path: Path, fields: frozenset[str]) -> Any:
    """Return what a JSON file beside the corpus says; None where there is none."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise CorpusUnreadableError("not_json", str(path)) from None
    rules = told.get("rules", []) if isinstance(told, dict) else None
    is_whole = isinstance(rules, list) and all(
        isinstance(rule, dict) and {"rule", "taken"} <= rule.keys() for rule in rules
    )
    if not is_whole or not fields <= told.keys():
        raise CorpusUnreadableError("not_written_by_prelim", str(path))
    return told


def digests_of(folder: Path) -> dict[str, str]:
    """Return sha256 of each split's file."""
    digests = {}
    for split in SPLITS:
        with (folder / f"{split}.jsonl").open("rb") as file:
            digests[split] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
