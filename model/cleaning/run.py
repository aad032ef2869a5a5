"""One cleaning: a corpus file in, a folder with the kept rows, the ledger and the report out.

The corpus is read twice and never held. What holds report text (kept.jsonl, samples.jsonl) is
written for its owner alone.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from model.cleaning.funnel import NOBODY, run_funnel
from model.cleaning.ledger import Ledger, RuleCount, Tally, write_ledger
from model.cleaning.report import write_report
from model.cleaning.rules import named_in
from model.cleaning.settings import RULES, meaning_of
from model.corpora.schema import open_private, read_corpus, render_row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model.cleaning.funnel import Funnel
    from model.cleaning.settings import CleaningSettings
    from model.corpora.schema import CorpusRow


def clean_corpus(
    source: Path,
    out: Path,
    settings: CleaningSettings,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[Ledger, Funnel]:
    """Clean a corpus.

    Args:
        source: A corpus file; read, never changed.
        out: Folder, made when missing; kept.jsonl, removed.jsonl, samples.jsonl, ledger.json,
            report.md, report.html and funnel.svg there are replaced.
        settings: The rules.
        advance: Called with the number of rows just judged, for a progress bar.

    Returns:
        The ledger, and what became of each row.

    Raises:
        CorpusUnreadableError: A line is no row.
    """
    funnel = run_funnel(read_corpus(source), settings, advance)
    out.mkdir(parents=True, exist_ok=True)
    tally, kept_sha256 = _write_rows(source, out, funnel, settings.samples_per_rule)
    ledger = Ledger(
        source_sha256=_sha256(source),
        kept_sha256=kept_sha256,
        rows=len(funnel.report_ids),
        kept=sum(tally.kept["site"].values()),
        rules=_count_rules(funnel, settings),
        parts=tally.as_dict(),
        settings=settings.model_dump(mode="json"),
    )
    write_ledger(out / "ledger.json", ledger)
    write_report(out, ledger)
    return ledger, funnel


def _write_rows(source: Path, out: Path, funnel: Funnel, samples_max: int) -> tuple[Tally, str]:
    """Write kept.jsonl, removed.jsonl and samples.jsonl; return the tally, and kept's sha256."""
    chosen = _choose_samples(funnel, samples_max)
    tally, digest = Tally(), hashlib.sha256()
    with (
        open_private(out / "kept.jsonl") as kept,
        open_private(out / "removed.jsonl") as removed,
        open_private(out / "samples.jsonl") as samples,
    ):
        for place, row in enumerate(read_corpus(source)):
            rule = funnel.rule_of(place)
            tally.count(row, is_kept=rule is None)
            if rule is None:
                line = render_row(row)
                kept.write(line)
                digest.update(line.encode("utf-8", "replace"))
                continue
            removed.write(_line(_removal(funnel, place)))
            if place in chosen:
                samples.write(_line(_removal(funnel, place) | _texts(row)))
    return tally, digest.hexdigest()


def _count_rules(funnel: Funnel, settings: CleaningSettings) -> tuple[RuleCount, ...]:
    left, counts = len(funnel.report_ids), []
    every = range(left)
    for number, rule in enumerate(RULES):
        taken = funnel.taken_by.count(number)
        left -= taken
        counts.append(
            RuleCount(
                rule=rule,
                meaning=meaning_of(rule),
                is_enabled=settings.switch(rule).enabled,
                alone=sum(funnel.is_flagged(place, rule) for place in every),
                taken=taken,
                left=left,
            )
        )
    return tuple(counts)


def _choose_samples(funnel: Funnel, count: int) -> set[int]:
    """Choose rows of each rule by a hash of their ids: from everywhere, and always the same."""
    by_rule: dict[int, list[int]] = {}
    for place, taken_by in enumerate(funnel.taken_by):
        by_rule.setdefault(taken_by, []).append(place)

    def drawn(place: int) -> bytes:
        return hashlib.sha256(funnel.report_ids[place].encode("utf-8", "replace")).digest()

    groups = (places for number, places in by_rule.items() if number >= 0)
    return {place for places in groups for place in heapq.nsmallest(count, places, key=drawn)}


def _removal(funnel: Funnel, place: int) -> dict[str, Any]:
    like = funnel.likeness[place]
    return {
        "report_id": funnel.report_ids[place],
        "rule": funnel.rule_of(place),
        "rules": named_in(funnel.flags[place]),
        "like": None if like == NOBODY else funnel.report_ids[like],
    }


def _texts(row: CorpusRow) -> dict[str, Any]:
    names = ("exam_display", "modality", "region", "language", "findings", "impression")
    told = asdict(row)
    return {name: told[name] for name in names}


def _line(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False) + "\n"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
