"""The institutions of a transfer study: reports to train on, reports to judge, and known truths.

A folder has test.jsonl and, where it can be trained on, train.jsonl and dev.jsonl (as ``prelim
synth`` and ``prelim corpus split`` write them); a file is judged only. A row of a synthetic corpus
has its truth beside it, by which the labeller itself is judged.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mappings.exam_names import read_name
from model.corpora.schema import open_private
from model.errors import CorpusUnreadableError
from model.evaluation.reports import read_reports
from model.transfer.body_systems import system_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from model.corpora.schema import CorpusRow

Truth = tuple[str, ...]
"""English names of what a synthetic impression names as wrong."""


@dataclass(frozen=True, slots=True)
class Institution:
    """One institution's reports.

    Attributes:
        name: As the caller calls it.
        test: Reports to judge; one or more.
        systems: The body system of each of them.
        systems_read: How many of those had to be read from the words of the report.
        train: Reports to train on; none where it is judged only.
        dev: Reports to watch training by.
        truths: By report id, where the truth is known exactly.
    """

    name: str
    test: tuple[CorpusRow, ...] = field(repr=False)
    systems: tuple[str, ...]
    systems_read: int
    train: tuple[CorpusRow, ...] = field(default=(), repr=False)
    dev: tuple[CorpusRow, ...] = field(default=(), repr=False)
    truths: Mapping[str, Truth] = field(default_factory=dict, repr=False)

    @property
    def sha256(self) -> str:
        """Of the reports that are judged."""
        return digest_of_rows(self.test)


def read_institution(
    name: str, path: Path, *, reports_max: int | None = None, train_max: int | None = None
) -> Institution:
    """Read an institution.

    Args:
        name: What to call it.
        path: Folder, or a JSONL file of reports to judge.
        reports_max: Judge only the first so many; None for all.
        train_max: Train only on the first so many; dev is cut to as many at most.

    Raises:
        CorpusUnreadableError: A file is missing or no corpus.
    """
    judged = path / "test.jsonl" if path.is_dir() else path
    can_train = path.is_dir() and (path / "train.jsonl").is_file()
    whole = Institution(
        name=name,
        test=(),
        systems=(),
        systems_read=0,
        train=_rows(path / "train.jsonl", name)[:train_max] if can_train else (),
        dev=_rows(path / "dev.jsonl", name)[:train_max] if can_train else (),
        truths=dict(_truths(judged)),
    )
    return with_test(whole, _rows(judged, name)[:reports_max])


def with_test(institution: Institution, test: Sequence[CorpusRow]) -> Institution:
    """Return an institution with other reports to judge."""
    found = [system_of(row) for row in test]
    return replace(
        institution,
        test=tuple(test),
        systems=tuple(system for system, _ in found),
        systems_read=sum(is_read for _, is_read in found),
    )


def write_training_folder(institution: Institution, folder: Path) -> Path:
    """Write what ``run_training`` reads, for its owner alone: modality and region filled in."""
    folder.mkdir(parents=True, exist_ok=True)
    splits = {"train": institution.train, "dev": institution.dev}
    for split, rows in splits.items():
        with open_private(folder / f"{split}.jsonl") as file:
            file.writelines(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)
    facts = {
        "generator": f"transfer/{institution.name}",
        "seed": None,
        "counts": {split: len(rows) for split, rows in splits.items()},
        "sha256": {split: digest_of_rows(rows) for split, rows in splits.items()},
    }
    (folder / "corpus.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return folder


def digest_of_rows(rows: Sequence[CorpusRow]) -> str:
    """Return one sha256 of rows in their order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(asdict(row), sort_keys=True).encode())
    return digest.hexdigest()


def _rows(path: Path, name: str) -> tuple[CorpusRow, ...]:
    return tuple(_completed(row, name) for row in read_reports(path))


def _completed(row: CorpusRow, name: str) -> CorpusRow:
    """Read modality and region from the exam's name where the row has none; name the site."""
    named = read_name(row.exam_display or "", row.language)
    return replace(
        row,
        site=name if row.site == "unknown" else row.site,
        modality=row.modality or named.modality,
        region=row.region or named.region,
    )


def _truths(path: Path) -> Iterator[tuple[str, Truth]]:
    """Read the findings that each synthetic impression names; nothing where no truth is told."""
    # Not splitlines(): a report may hold other line breaks than the one that ends its row.
    for line in path.read_text(encoding="utf-8-sig").split("\n"):
        told: dict[str, Any] = json.loads(line) if line.strip() else {}
        if isinstance(told.get("truth"), list) and "report_id" in told:
            yield told["report_id"], tuple(_names(told["truth"], path))


def _names(truth: Sequence[Any], path: Path) -> Iterator[str]:
    for one in truth:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise CorpusUnreadableError("truth_without_name", path.name)
        if one.get("is_reported") and not one.get("negated"):
            yield one["name"]
