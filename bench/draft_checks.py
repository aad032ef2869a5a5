"""What the draft checks refuse, by language: faithful impressions, and drafts that say it wrong.

    .venv/bin/python bench/draft_checks.py [--reports 2000] [--languages de,fr] [--show 5]

On invented reports (model/synth) whose truth is known. A draft is the impression as it is
(*faithful*); with a finding of another report of the region, that this report does not have, in the
place of its first (*swapped*; where there is nothing wrong, beside what is normal); without one of
its findings (*left out*). *Cannot wait*: those of the left out whose English name is critical by
concepts.yaml; no other is looked for.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.rig.options import make_parser  # noqa: E402 - found through the line above
from bench.rig.results import Check, print_table, save_json  # noqa: E402 - same
from mappings.domain import Exam, Findings  # noqa: E402 - same
from model.checks.support import find_left_out, find_unsupported  # noqa: E402 - same
from model.checks.vocabulary import vocabulary_of  # noqa: E402 - same
from model.synth.corpus import ENGLISH, LANGUAGES  # noqa: E402 - same
from model.synth.denials import is_same_name  # noqa: E402 - same
from model.synth.lexicon import REGIONS, frames  # noqa: E402 - same
from model.synth.phrasebook import compose_in, styles_of  # noqa: E402 - same
from model.synth.report import compose_report  # noqa: E402 - same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings.domain import Region
    from model.synth.report import Composed, Stated

REFUSED_MAX = 0.001
QUICK_REPORTS = 70


def make_reports(language: str, count: int) -> Iterator[tuple[Region, Composed]]:
    """Invent reports, the regions taking turns, every other one of held-back sentences."""
    rng = random.Random(f"draft checks/{language}")  # noqa: S311 - invented reports
    for index in range(count):
        region, is_held_back = REGIONS[index % len(REGIONS)], bool(index // len(REGIONS) % 2)
        if language == ENGLISH:
            style = rng.choice(frames().styles)
            yield region, compose_report(rng, region, style, is_held_back=is_held_back)
        else:
            style = rng.choice(styles_of(language))
            made = compose_in(language, rng, region=region, style=style, is_held_back=is_held_back)
            yield region, made


def make_drafts(report: Composed, others: list[Stated]) -> Iterator[tuple[str, str]]:
    """Yield the drafts of a report, each with what it is."""
    due = [one for one in report.stated if one.kind.is_reported]
    yield "faithful", report.impression
    said = [one.summary for one in due]
    names = [one.kind.name for one in report.stated]
    strange = [one for one in others if not any(is_same_name(one.kind.name, n) for n in names)]
    if strange:
        rest = said[1:] if due else [report.impression]
        yield "swapped", "\n".join([strange[-1].summary, *rest])
    for one in due:
        rest = "\n".join(text for text in said if text != one.summary) or "—"
        yield "left out", rest
        if cannot_wait(one.kind.name):
            yield "cannot wait", rest


def cannot_wait(name: str) -> bool:
    """Whether the English check looks for a finding of this name."""
    english = vocabulary_of(ENGLISH)
    assert english
    return any(one.critical and one.critical.search(name) for one in english.concepts)


def judge(language: str, count: int, show: int) -> dict[str, tuple[int, int]]:
    """Return by kind of draft how many there were and how many were refused."""
    made: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    others: dict[Region, list[Stated]] = {region: [] for region in REGIONS}
    for region, report in make_reports(language, count):
        exam = Exam(display=report.exam_display)
        findings = Findings(report.findings, report.indication, exam, report.exam.code, language)
        for kind, draft in make_drafts(report, others[region]):
            fault = None
            if kind in {"faithful", "swapped"}:
                fault = find_unsupported(findings, draft)
            if kind != "swapped":
                fault = fault or find_left_out(findings, draft)
            made[kind] += 1
            refused[kind] += fault is not None
            if show and (fault is not None) is (kind == "faithful") and kind != "left out":
                show -= 1
                print(f"--- {language}, {kind}: {fault}\n{report.findings}\n>>> {draft}")
        due = [one for one in report.stated if one.kind.is_reported]
        others[region] = [*others[region], *due][-20:]
    return {kind: (made[kind], refused[kind]) for kind in made}


def main() -> None:
    """Measure, print, write."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--reports", type=int, default=2_000, help="of each language")
    parser.add_argument("--languages", default=",".join(LANGUAGES), help="such as de,fr")
    parser.add_argument("--show", type=int, default=0, help="print so many drafts judged wrongly")
    options = parser.parse_args()
    count = QUICK_REPORTS if options.quick else options.reports
    languages = [one for one in options.languages.split(",") if vocabulary_of(one)]
    judged = {one: judge(one, count, options.show) for one in languages}
    kinds = ["faithful", "swapped", "left out", "cannot wait"]
    rows = [
        [language, *(f"{told[kind][1]} of {told[kind][0]}" for kind in kinds)]
        for language, told in judged.items()
    ]
    print_table("refused drafts", ["language", *kinds], rows)
    shares = {language: told["faithful"][1] / count for language, told in judged.items()}
    checks = [
        Check(
            f"{one}: at most {REFUSED_MAX:.1%} of the faithful refused",
            f"{share:.2%}",
            share <= REFUSED_MAX,
        )
        for one, share in shares.items()
    ]
    print("\n".join(map(str, checks)))
    save_json(options.out, "draft_checks", {"judged": judged, "checks": list(map(str, checks))})


if __name__ == "__main__":
    main()
