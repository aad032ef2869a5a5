"""Write the corpus: train, dev and test as JSON lines, the same bytes from the same seed.

A report's chance comes from (seed, split, index) alone, so that asking for more reports changes
none of those before. The test split uses only held-back sentences; a patient has one report.
Regions take turns, and so do languages, after each round of the regions.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from model.synth.language import FOLDER
from model.synth.lexicon import REGIONS, frames
from model.synth.phrasebook import compose_in, styles_of
from model.synth.report import Composed, compose_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
GENERATOR_VERSION = "synth/6"
ENGLISH = "en"
LANGUAGES = (ENGLISH, *sorted(folder.name for folder in FOLDER.iterdir()))


@dataclass(frozen=True, slots=True)
class Counts:
    """Reports in each split; regions and sites take turns, so each gets its share."""

    train: int = 8_000
    dev: int = 120
    test: int = 300


@dataclass(frozen=True, slots=True)
class Corpus:
    """What was written: a file and its sha256 for each split."""

    folder: Path
    seed: int
    counts: Counts
    digests: dict[str, str]
    languages: tuple[str, ...] = (ENGLISH,)


def write_corpus(
    out_dir: Path,
    *,
    seed: int = 0,
    counts: Counts | None = None,
    languages: Sequence[str] = (ENGLISH,),
    advance: Callable[[int], None] | None = None,
) -> Corpus:
    """Write train.jsonl, dev.jsonl, test.jsonl and corpus.json.

    Args:
        out_dir: Made when missing; files there are replaced.
        seed: Any integer.
        counts: Reports in each split.
        languages: Of the reports, such as ``("en", "en", "de")``: one named twice gets two turns.
        advance: Called with the number of reports just written, for a progress bar.

    Returns:
        Where the corpus is, and its digests.
    """
    counts = counts or Counts()
    out_dir.mkdir(parents=True, exist_ok=True)
    digests: dict[str, str] = {}
    for split in SPLITS:
        digest = hashlib.sha256()
        with (out_dir / f"{split}.jsonl").open("wb") as file:
            for index in range(getattr(counts, split)):
                line = (
                    json.dumps(report_row(seed, split, index, languages), ensure_ascii=False) + "\n"
                )
                file.write(line.encode())
                digest.update(line.encode())
                if advance:
                    advance(1)
        digests[split] = digest.hexdigest()
    corpus = Corpus(out_dir, seed, counts, digests, tuple(languages))
    (out_dir / "corpus.json").write_text(json.dumps(_summary(corpus), indent=2) + "\n")
    return corpus


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Read the reports of one split, one after the other."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def report_row(
    seed: int, split: Split, index: int, languages: Sequence[str] = (ENGLISH,)
) -> dict[str, Any]:
    """Invent one report as a JSON object; ``truth`` is exact for both texts."""
    rng = random.Random(f"{seed}/{split}/{index}")  # noqa: S311 - a corpus is no secret
    region = REGIONS[index % len(REGIONS)]
    language = languages[index // len(REGIONS) % len(languages)]
    is_held_back = split == "test"
    if language == ENGLISH:
        style = rng.choice(frames().styles)
        report = compose_report(rng, region, style, is_held_back=is_held_back)
    else:
        style = rng.choice(styles_of(language))
        report = compose_in(language, rng, region=region, style=style, is_held_back=is_held_back)
    return {
        "report_id": f"synthetic-{seed}-{split}-{index:06d}",
        "patient_id": f"SYN{seed}-{SPLITS.index(split)}{index:06d}",
        "split": split,
        "language": language,
        "site": style.site,
        "style": style.style,
        "modality": report.exam.modality.value,
        "region": region.value,
        "exam_code": report.exam.code,
        "exam_display": report.exam_display,
        "indication": report.indication,
        "findings": report.findings,
        "impression": report.impression,
        "truth": _truth(report),
        "template_ids": list(report.template_ids),
    }


def _truth(report: Composed) -> list[dict[str, Any]]:
    stated = [
        {
            "name": one.kind.name,
            "side": one.side,
            "size_mm": one.size_mm,
            "negated": False,
            "severity": one.severity,
            "is_reported": one.kind.is_reported,
        }
        for one in report.stated
    ]
    denied = [
        {
            "name": name,
            "side": None,
            "size_mm": None,
            "negated": True,
            "severity": None,
            "is_reported": False,
        }
        for name in report.denied
    ]
    return stated + denied


def _summary(corpus: Corpus) -> dict[str, Any]:
    return {
        "generator": GENERATOR_VERSION,
        "seed": corpus.seed,
        "languages": list(corpus.languages),
        "counts": {split: getattr(corpus.counts, split) for split in SPLITS},
        "sha256": corpus.digests,
        "patients": "none: every report is invented",
    }
