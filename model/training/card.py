"""The model card of what a run made: ``card.json`` for programs, ``CARD.md`` for people."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CARD = "card.json"
DEMO_WARNING = (
    "It was trained on invented reports to show the whole path;\n"
    "it says nothing about accuracy on patients."
)
UNPROVEN_WARNING = "Nobody has shown on patients what it is good for;\nits numbers are below."
DEMO_LIMITS = (
    "- Limits: the wording of one generator, and nothing beyond what it has seen. It copies and",
    "  shortens; it does not reason about disease.",
)
UNPROVEN_LIMITS = (
    "- Limits: one corpus's wording, and nothing beyond what it has seen. The dev loss is no",
    "  measure of clinical worth: evaluate with `prelim evaluate`, missed abnormals beside every",
    "  ROUGE.",
)
NAMES_MAX = 12


def write_card(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write both cards.

    Args:
        folder: Of the adapter.
        facts: As ``run_training`` gathers them; ``evaluation`` and ``comparison`` are added by
            ``prelim evaluate``.
    """
    text = json.dumps(facts, indent=1, sort_keys=True) + "\n"
    (folder / CARD).write_text(text, encoding="utf-8")
    (folder / "CARD.md").write_text(render_card(facts), encoding="utf-8")


def remove_card(folder: Path) -> None:
    """Remove both cards of what was made here before."""
    for name in (CARD, "CARD.md"):
        (folder / name).unlink(missing_ok=True)


def add_evaluation(folder: Path, evaluation: Mapping[str, Any]) -> None:
    """Put an evaluation's numbers into the cards of an adapter."""
    _add(folder, "evaluation", evaluation)


def add_comparison(folder: Path, comparison: Mapping[str, Any]) -> None:
    """Put the numbers of a comparison with anyone's impressions into the cards of an adapter."""
    _add(folder, "comparison", comparison)


def _add(folder: Path, name: str, numbers: Mapping[str, Any]) -> None:
    facts = json.loads((folder / CARD).read_text(encoding="utf-8"))
    write_card(folder, {**facts, name: dict(numbers)})


def render_card(facts: Mapping[str, Any]) -> str:
    """Return the card as Markdown."""
    base = facts["base"]
    lines = [
        f"# Adapter `{facts['name']}`",
        "",
        "**Not for clinical use.** " + (DEMO_WARNING if facts["is_demo"] else UNPROVEN_WARNING),
        "",
        *_trained(facts),
        f"- Base: {base['name']}, sha256 `{base['sha256']}`.",
        *_begun_from(facts.get("begun_from")),
        *_data(facts["data"]),
        *_run(facts),
        f"- Adapter sha256: `{facts['adapter_sha256']}`.",
        f"- Versions: {', '.join(f'{name} {v}' for name, v in facts['versions'].items())}.",
        *(DEMO_LIMITS if facts["is_demo"] else UNPROVEN_LIMITS),
        "",
        "Made again by `prelim synth`, `prelim train` and `prelim evaluate`; see README.md."
        if facts["is_demo"]
        else "Made again by `prelim train` with this recipe (card.json) on the same data.",
    ]
    if "evaluation" in facts:
        lines += ["", "## On held-back templates", "", *_table(facts["evaluation"])]
    if "comparison" in facts:
        lines += ["", "## On reports with impressions", "", *_compared(facts["comparison"])]
    return "\n".join(lines) + "\n"


def _trained(facts: Mapping[str, Any]) -> list[str]:
    strategy = dict(facts["recipe"]["strategy"])
    kind = strategy.pop("kind")
    numbers = ", ".join(f"{name} {_plain(value)}" for name, value in strategy.items())
    return [
        f"- Trained: {kind}{f' ({numbers})' if numbers else ''};",
        f"  {facts['trained_parameters']:,} numbers; loss on the impression alone.",
    ]


def _begun_from(digest: str | None) -> list[str]:
    return [] if digest is None else [f"- Went on from the adapter with sha256 `{digest}`."]


def _data(data: Mapping[str, Any]) -> list[str]:
    corpus, ledger = data["corpus"] or {}, data["cleaning"]
    origin = ""
    if "generator" in corpus:
        origin = f"corpus of {corpus['generator']}, seed {corpus.get('seed')}, "
    elif "by" in corpus:
        origin = f"a corpus split by {corpus['by']}, "
    lines = [
        f"- Data: {origin}{data['counts']['train']} training reports,",
        f"  sha256 `{data['sha256']['train']}`; {data['counts']['dev']} to watch it by,",
        f"  sha256 `{data['sha256']['dev']}`.",
    ]
    lines += _learned(data)
    if data["passed_over"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in data["passed_over"].items())
        lines.append(f"- Passed over: {reasons}.")
    if ledger is None:
        return [*lines, "- Cleaning: no ledger beside the corpus."]
    taken = ", ".join(
        f"{rule['rule']} {rule['taken']}" for rule in ledger["rules"] if rule["taken"]
    )
    lines.append(
        f"- Cleaning: {ledger['rows']} reports read, {ledger['kept']} kept; taken: {taken}."
    )
    return lines


def _learned(data: Mapping[str, Any]) -> list[str]:
    """Tell what was learned out of what lay in the file; a card of before knew the file alone."""
    if "trained_on" not in data:
        return [f"- In the file, {part}: {_counted(told)}." for part, told in data["seen"].items()]
    told, in_file = data["trained_on"], data["in_file"]
    return [
        f"- Trained on {told['reports']} of {data['counts']['train']} reports in the file.",
        *(
            f"- Trained on, {part}: {_counted(counts, in_file[part])}."
            for part, counts in told["parts"].items()
        ),
    ]


def _run(facts: Mapping[str, Any]) -> list[str]:
    recipe, losses = facts["recipe"], facts["dev_loss_nats_per_token"]
    kept = str(facts["kept_step"])
    loss = {str(step): loss for step, loss in losses.items()}[kept]
    length = f"{recipe['epochs']} epochs, " if recipe["epochs"] else ""
    size = f"{recipe['accumulation']} x {recipe['tokens_per_batch']} tokens"
    packed = ", packed" if recipe["packing"] else ""
    return [
        f"- Run: seed {recipe['seed']}, {length}{facts['steps']} steps of",
        f"  {size}{packed}, {recipe['dtype']}, learning rate {recipe['learning_rate']}.",
        f"- Kept: step {kept}, dev loss {loss:.4f} nats a token.",
        f"- Prompt template: {facts['prompt_template']}.",
    ]


def _counted(counts: Mapping[str, int], wholes: Mapping[str, int] | None = None) -> str:
    """Name the values with their numbers, of what wholes where those are told."""
    named = [
        f"{_cell(name)} {count}" + (f" of {wholes[name]}" if wholes else "")
        for name, count in list(counts.items())[:NAMES_MAX]
    ]
    rest = len(counts) - len(named)
    return ", ".join(named) + (f" and {rest} more" if rest else "")


def _cell(text: str) -> str:
    """Keep a site's name from ending its cell, its line, or from being read as HTML."""
    return escape(text, quote=False).replace("|", "\\|").replace("\n", " ")


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "all"
    return "all" if value is None else str(value)


def _table(evaluation: Mapping[str, Any]) -> list[str]:
    systems = evaluation["systems"]
    names = list(next(iter(systems.values())))
    rows = [
        f"| {system} | " + " | ".join(_number(scores[name]) for name in names) + " |"
        for system, scores in systems.items()
    ]
    left_out = evaluation.get("left_out") or "none"
    head = "| system | " + " | ".join(names) + " |"
    return [
        (
            f"{evaluation['reports']} reports of the test split, {left_out} left out as too long,"
            f" sha256 `{evaluation['sha256']}`:"
        ),
        "",
        head,
        "|" + "---|" * (len(names) + 1),
        *rows,
        "",
        *(
            f"- `{name}` (n = {evaluation['counts'][name]}): {evaluation['meaning'][name]}."
            for name in names
        ),
        *_parts(evaluation.get("parts", {}), next(iter(systems))),
    ]


def _parts(parts: Mapping[str, Any], system: str) -> list[str]:
    """Return a table for each part (site, modality, ...): the first system's chief numbers."""
    lines: list[str] = []
    for part, values in parts.items():
        metrics = list(next(iter(values.values()))["systems"][system])
        lines += ["", f"| {part} | reports | {' | '.join(metrics)} |"]
        lines.append("|" + "---|" * (len(metrics) + 2))
        for value, found in values.items():
            cells = (_number(found["systems"][system][metric]) for metric in metrics)
            lines.append(f"| {_cell(value)} | {found['reports']} | {' | '.join(cells)} |")
    return lines


def _compared(comparison: Mapping[str, Any]) -> list[str]:
    """Return a table for all reports and one for those of unseen findings: a metric a row."""
    left_out = comparison["left_out"] or "none"
    lines = [
        (
            f"{_cell(comparison['data'])}, {left_out} left out as too long,"
            f" sha256 `{comparison['sha256']}`, with 95 % intervals."
        ),
        comparison["warning"],
    ]
    for part, told in comparison["parts"].items():
        systems = {name: told["contenders"][name] for name in comparison["systems"]}
        lines += ["", f"| {part}, {told['reports']} reports | {' | '.join(map(_cell, systems))} |"]
        lines.append("|" + "---|" * (len(systems) + 1))
        for metric in comparison["metrics"]:
            cells = (_with_interval(found[metric]) for found in systems.values())
            lines.append(f"| {metric} | {' | '.join(cells)} |")
    meanings = (f"- `{name}`: {comparison['meaning'][name]}." for name in comparison["metrics"])
    return [*lines, "", *(f"- {_cell(note)}" for note in comparison["notes"]), *meanings]


def _with_interval(told: Mapping[str, float] | None) -> str:
    if told is None:
        return _number(None)
    value = f"{told['value']:.4f}"
    return f"{value} ({told['low']:.4f}-{told['high']:.4f})" if "low" in told else value


def _number(value: float | None) -> str:
    return "not computed" if value is None else f"{value:g}"
