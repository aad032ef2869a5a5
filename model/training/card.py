"""The model card of an adapter: ``card.json`` for programs, ``CARD.md`` for people."""

from __future__ import annotations

import json
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
    "- Limits: English; chest, abdomen and limbs; radiography and CT; the wording of one",
    "  generator. It copies and shortens; it does not reason about disease.",
)


def write_card(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write both cards.

    Args:
        folder: Of the adapter.
        facts: As ``run_training`` gathers them; ``evaluation`` is added by ``prelim evaluate``.
    """
    text = json.dumps(facts, indent=1, sort_keys=True) + "\n"
    (folder / CARD).write_text(text, encoding="utf-8")
    (folder / "CARD.md").write_text(render_card(facts), encoding="utf-8")


def add_evaluation(folder: Path, evaluation: Mapping[str, Any]) -> None:
    """Put an evaluation's numbers into the cards of an adapter."""
    facts = json.loads((folder / CARD).read_text(encoding="utf-8"))
    write_card(folder, {**facts, "evaluation": dict(evaluation)})


def render_card(facts: Mapping[str, Any]) -> str:
    """Return the card as Markdown."""
    data, recipe, base = facts["data"], facts["recipe"], facts["base"]
    lines = [
        f"# Adapter `{facts['name']}`",
        "",
        "**Not for clinical use.** " + (DEMO_WARNING if facts["is_demo"] else UNPROVEN_WARNING),
        "",
        f"- Kind: LoRA, r={recipe['rank']}, alpha={recipe['alpha']}, on the linear modules of",
        f"  {recipe['upper_layers'] or 'all'} layers from the top; loss on the impression alone.",
        f"- Base: {base['name']}, sha256 `{base['sha256']}`.",
        f"- Data: corpus of {data['generator']}, seed {data['seed']},",
        f"  {data['counts']['train']} training reports, sha256 `{data['sha256']['train']}`.",
        f"- Run: seed {recipe['seed']}, {recipe['steps']} steps of",
        f"  {recipe['tokens_per_batch']} tokens, {recipe['dtype']},",
        f"  learning rate {recipe['learning_rate']}.",
        f"- Prompt template: {facts['prompt_template']}.",
        f"- Adapter sha256: `{facts['adapter_sha256']}`.",
        f"- Versions: {', '.join(f'{name} {v}' for name, v in facts['versions'].items())}.",
        *(DEMO_LIMITS if facts["is_demo"] else ()),
        "",
        "Made again by `prelim synth`, `prelim train` and `prelim evaluate`; see README.md.",
    ]
    if "evaluation" in facts:
        lines += ["", "## On held-back templates", "", *_table(facts["evaluation"])]
    return "\n".join(lines) + "\n"


def _table(evaluation: Mapping[str, Any]) -> list[str]:
    systems = evaluation["systems"]
    names = list(next(iter(systems.values())))
    rows = [
        f"| {system} | " + " | ".join(_number(scores[name]) for name in names) + " |"
        for system, scores in systems.items()
    ]
    head = "| system | " + " | ".join(names) + " |"
    return [
        f"{evaluation['reports']} reports of the test split, sha256 `{evaluation['sha256']}`:",
        "",
        head,
        "|" + "---|" * (len(names) + 1),
        *rows,
        "",
        *(
            f"- `{name}` (n = {evaluation['counts'][name]}): {evaluation['meaning'][name]}."
            for name in names
        ),
    ]


def _number(value: float | None) -> str:
    return "not computed" if value is None else f"{value:g}"
