"""The card says what the adapter is, and takes an evaluation's numbers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from model.training.card import add_comparison, add_evaluation, render_card, write_card
from model.training.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "ab" * 32


@pytest.fixture
def facts() -> dict[str, Any]:
    recipe = Recipe(name="demo", steps=2, tokens_per_batch=100, learning_rate=0.001)
    return {
        "name": "demo",
        "is_demo": True,
        "base": {"name": "Tiny", "sha256": "cd" * 32},
        "data": {
            "counts": {"train": 12, "dev": 3},
            "sha256": {"train": DIGEST, "dev": ""},
            "in_file": {
                "language": {"en": 12},
                "site": {f"site {number}": 2 for number in range(14)},
            },
            "trained_on": {
                "reports": 9,
                "parts": {
                    "language": {"en": 9},
                    "site": {f"site {number}": 1 for number in range(14)},
                },
            },
            "passed_over": {"impression_empty": 2},
            "corpus": {"generator": "synth/1", "seed": 3},
            "cleaning": None,
        },
        "recipe": recipe.model_dump(mode="json"),
        "steps": 2,
        "kept_step": 1,
        "trained_parameters": 1_234,
        "dev_loss_nats_per_token": {"1": 0.5, "2": 0.75},
        "prompt_template": "impression/1",
        "adapter_sha256": "ef" * 32,
        "versions": {"torch": "2.13"},
    }


EVALUATION = {
    "reports": 6,
    "sha256": DIGEST,
    "systems": {
        "adapter": {"rouge_l": 0.75, "false_abnormal": None},
        "constant": {"rouge_l": 0.25, "false_abnormal": 0.0},
    },
    "counts": {"rouge_l": 6, "false_abnormal": 0},
    "meaning": {"rouge_l": "ROUGE-L", "false_abnormal": "share of normal reports"},
    "parts": {
        "region": {
            "chest": {"reports": 4, "systems": {"adapter": {"rouge_l": 0.8}}},
            "spine": {"reports": 2, "systems": {"adapter": {"rouge_l": None}}},
        }
    },
}


def test_a_sites_name_is_never_read_as_html(facts: dict[str, Any]) -> None:
    name = "<script>alert(1)</script>"
    facts["data"]["in_file"] = {"site": {name: 2}}
    facts["data"]["trained_on"] = {"reports": 2, "parts": {"site": {name: 2}}}
    part = {"<b>x</b>": {"reports": 4, "systems": {"adapter": {"rouge_l": 0.8}}}}

    text = render_card({**facts, "evaluation": {**EVALUATION, "parts": {"site": part}}})

    assert "<script>" not in text
    assert "<b>" not in text


def test_the_card_names_data_base_and_limits_and_warns(facts: dict[str, Any]) -> None:
    text = render_card(facts)

    assert "Not for clinical use" in text
    assert f"sha256 `{DIGEST}`" in text
    assert "cd" * 32 in text
    assert "lora (rank 16, alpha 32, dropout 0.0, modules all, upper_layers all);" in text
    assert "1,234 numbers" in text
    assert "step 1, dev loss 0.5000" in text
    assert "2 impression_empty" in text
    assert "no ledger" in text
    assert "Trained on 9 of 12 reports in the file." in text
    assert "Trained on, language: en 9 of 12." in text
    assert "site 11 1 of 2 and 2 more." in text
    assert "held-back" not in text


def test_a_card_of_before_tells_its_file_and_claims_nothing_learned(
    facts: dict[str, Any],
) -> None:
    data = facts["data"]
    del data["trained_on"]
    data["seen"] = data.pop("in_file")

    text = render_card(facts)

    assert "In the file, language: en 12." in text
    assert "Trained on" not in text


def test_the_cleaning_of_the_data_is_told(facts: dict[str, Any]) -> None:
    rules = [{"rule": "duplicate", "taken": 566}, {"rule": "too_long", "taken": 0}]
    data = facts["data"] | {
        "corpus": {"by": "patient", "seed": 0},
        "cleaning": {"rows": 3287, "kept": 2122, "rules": rules},
    }

    text = render_card(facts | {"data": data})

    assert "Data: a corpus split by patient, 12 training reports" in text
    assert "3287 reports read, 2122 kept; taken: duplicate 566." in text


def test_an_evaluation_is_added_and_replaces_an_older_one(
    facts: dict[str, Any], tmp_path: Path
) -> None:
    write_card(tmp_path, facts)
    add_evaluation(tmp_path, {**EVALUATION, "reports": 1, "left_out": 2})
    assert "1 reports of the test split, 2 left out" in (tmp_path / "CARD.md").read_text()
    add_evaluation(tmp_path, EVALUATION)

    assert json.loads((tmp_path / "card.json").read_text()) == {**facts, "evaluation": EVALUATION}
    text = (tmp_path / "CARD.md").read_text()
    assert "| system | rouge_l | false_abnormal |" in text
    assert "| adapter | 0.75 | not computed |" in text
    assert "- `rouge_l` (n = 6): ROUGE-L." in text
    assert "6 reports of the test split, none left out as too long, sha256" in text
    assert "| region | reports | rouge_l |\n|---|---|---|\n| chest | 4 | 0.8 |" in text
    assert "| spine | 2 | not computed |" in text


NUMBER = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 6}
COMPARISON = {
    "data": "ours|<b>.jsonl",
    "sha256": DIGEST,
    "left_out": 2,
    "systems": ["nearest", "adapter"],
    "metrics": ["rouge_l", "bleu_4", "missed_abnormal"],
    "parts": {
        part: {
            "reports": reports,
            "contenders": {
                "adapter": {"rouge_l": NUMBER, "bleu_4": {"value": 0.125}, "missed_abnormal": None},
                "nearest": {"rouge_l": NUMBER, "bleu_4": None, "missed_abnormal": NUMBER},
            },
        }
        for part, reports in (("all", 6), ("unseen findings", 5))
    },
    "notes": ["METEOR (en): exact"],
    "meaning": {"rouge_l": "ROUGE-L", "bleu_4": "BLEU", "missed_abnormal": "share missed"},
    "warning": "Text against text.",
}


def test_a_comparison_is_added_beside_an_evaluation_and_stays_as_it_is(
    facts: dict[str, Any], tmp_path: Path
) -> None:
    write_card(tmp_path, facts)
    add_comparison(tmp_path, COMPARISON)
    first = (tmp_path / "CARD.md").read_text()
    add_evaluation(tmp_path, EVALUATION)

    text = (tmp_path / "CARD.md").read_text()
    told = json.loads((tmp_path / "card.json").read_text())
    assert told == {**facts, "evaluation": EVALUATION, "comparison": COMPARISON}
    assert "## On held-back templates" in text
    assert text.partition("## On rep")[2] == first.partition("## On rep")[2]
    assert "ours\\|&lt;b&gt;.jsonl, 2 left out as too long, sha256" in text
    assert "| all, 6 reports | nearest | adapter |\n|---|---|---|\n| rouge_l | 0.5000 (0." in text
    assert "| bleu_4 | not computed | 0.1250 |" in text
    assert "| missed_abnormal | 0.5000 (0.2500-0.7500) | not computed |" in text
    assert "| unseen findings, 5 reports |" in text
    assert "- METEOR (en): exact\n- `rouge_l`: ROUGE-L." in text
