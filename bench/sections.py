"""How often a report's sections are read right, to the letter, and what reading them costs.

    .venv/bin/python bench/sections.py [--reports FILE]

FILE is JSON lines with ``id``, ``text`` (a whole report) and its true ``findings`` and
``impression``; the Open-i collection can be brought into that form (Demner-Fushman et al., JAMIA
2016;23(2):304-310; it is not ours to ship). A section is right when it is the true one, but for
white space and case. Beside it: the invented reports of ``tests/vectors/sections``, by language.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.rig.options import make_parser  # noqa: E402 - found through the line above
from bench.rig.results import Check, describe_machine, print_table, save_json  # noqa: E402 - same
from mappings.sections import CodedText, read_narrative  # noqa: E402 - same

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mappings.domain import Sections

VECTORS = ROOT / "tests" / "vectors" / "sections"
SECTIONS = ("findings", "impression", "indication", "comparison", "technique", "recommendation")
SHARE_MIN = 0.98
PROSE_LIMIT_MS = 0.04
REPEATS = 2_000
PROSE = (
    "The heart size is within normal limits and the mediastinal contours",
    "are unremarkable. No focal consolidation, pleural effusion, or",
    "pneumothorax is seen. There is a 6 mm nodule in the right upper lobe.",
    "Mild degenerative changes of the thoracic spine are noted.",
    "The liver, spleen and pancreas are normal in attenuation and contour.",
)
LINES = 60


def fold(text: str | None) -> str:
    """Return a text without what does not count: white space and case."""
    return " ".join((text or "").split()).casefold()


def read(text: str) -> Sections:
    """Read a whole report that came in one OBX."""
    return read_narrative([CodedText("body", text)]).sections


def cause_of(found: str, true: str, whole: str) -> str:
    """Name what is wrong with a section that is not the true one. All are folded."""
    if true not in whole:
        return "the truth does not stand in the text"
    if not found:
        return "nothing found"
    if true in found:
        return "more than the truth"
    return "less than the truth" if found in true else "another text"


def judge(reports: Sequence[dict[str, Any]], section: str) -> dict[str, Any]:
    """Compare one section of all reports with the truth."""
    misses: dict[str, list[str]] = defaultdict(list)
    for report in reports:
        found, true = fold(getattr(read(report["text"]), section)), fold(report[section])
        if found != true:
            misses[cause_of(found, true, fold(report["text"]))].append(report["id"])
    wrong = sum(map(len, misses.values()))
    right = len(reports) - wrong
    share = right / max(len(reports), 1)
    return {"n": len(reports), "right": right, "share": share, "misses": dict(misses)}


def judge_reports(path: Path) -> dict[str, dict[str, Any]]:
    """Judge findings and impressions of the reports that have both truths.

    An impression counts when it stands in the text word for word: some were edited afterwards.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    reports = [one for one in map(json.loads, lines) if one["findings"] and one["impression"]]
    verbatim = [one for one in reports if fold(one["impression"]) in fold(one["text"])]
    return {"findings": judge(reports, "findings"), "impression": judge(verbatim, "impression")}


def judge_vectors() -> Iterator[tuple[str, int, int, int]]:
    """Yield by language: reports, sections in them, and reports read right as a whole."""
    for path in sorted(VECTORS.glob("*.yaml")):
        cases = yaml.safe_load(path.read_text(encoding="utf-8"))
        right: Counter[bool] = Counter()
        for case in cases:
            texts = [CodedText(case["code"], text.replace("~", "\n")) for text in case["text"]]
            sections = read_narrative(texts).sections
            found = {name: getattr(sections, name) for name in SECTIONS}
            right[{name: found[name] for name in found if found[name]} == case["sections"]] += 1
        yield path.stem, len(cases), sum(len(case["sections"]) for case in cases), right[True]


def cpu_ms(texts: Sequence[CodedText]) -> float:
    """Return the CPU time of reading one report: the least of five runs, in ms."""
    runs_s = []
    for _ in range(5):
        start_s = time.process_time()
        for _ in range(REPEATS):
            read_narrative(texts)
        runs_s.append((time.process_time() - start_s) / REPEATS)
    return min(runs_s) * 1000


def measure_cost() -> dict[str, float]:
    """Measure two reports of 60 OBX: prose under one code, and a body with headings."""
    prose = [PROSE[at % len(PROSE)] for at in range(LINES)]
    head, tail = (
        ["EXAM: CT", "", "INDICATION: Cough.", "", "FINDINGS:"],
        ["", "IMPRESSION:", "None."],
    )
    headed = [*head, *prose[len(head) + len(tail) :], *tail]
    return {
        "prose": cpu_ms([CodedText("findings", text, at) for at, text in enumerate(prose)]),
        "with headings": cpu_ms([CodedText("body", text, at) for at, text in enumerate(headed)]),
    }


def main() -> None:
    """Measure, print, write."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--reports", type=Path, help="JSON lines with true sections")
    options = parser.parse_args()
    checks: list[Check] = []
    judged = judge_reports(options.reports) if options.reports else {}
    if judged:
        rows = [
            [name, one["n"], one["right"], f"{one['share']:.2%}"] for name, one in judged.items()
        ]
        print_table("sections of real reports", ["section", "n", "right", "share"], rows)
        misses = [
            [name, cause, len(ids), " ".join(ids)]
            for name, one in judged.items()
            for cause, ids in sorted(one["misses"].items())
        ]
        print_table("misses", ["section", "cause", "n", "reports"], misses)
        checks += [
            Check(
                f"{name} right in {SHARE_MIN:.0%}", f"{one['share']:.2%}", one["share"] >= SHARE_MIN
            )
            for name, one in judged.items()
        ]
    languages = list(judge_vectors())
    print_table("invented reports", ["language", "reports", "sections", "reports right"], languages)
    missed = sum(reports - right for _, reports, _, right in languages)
    checks.append(Check("every invented report right", f"{missed} wrong", missed == 0))
    cost = measure_cost()
    print_table("CPU, 60 OBX", ["report", "ms"], [[name, f"{ms:.4f}"] for name, ms in cost.items()])
    promise = f"prose of {LINES} lines in at most {PROSE_LIMIT_MS} ms"
    checks.append(Check(promise, f"{cost['prose']:.4f} ms", cost["prose"] <= PROSE_LIMIT_MS))
    print("\n".join(map(str, checks)))
    data = {
        "judged": judged,
        "languages": languages,
        "cpu_ms": cost,
        "checks": list(map(str, checks)),
    }
    save_json(options.out, "sections", {"machine": describe_machine(), **data})


if __name__ == "__main__":
    main()
