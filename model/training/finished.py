"""Tells whether a run has ended, by the card that is written last, and what it left.

Another recipe, corpus or base makes another run, and so do weights that are no longer those of the
card: for each of them nothing has ended.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from model.engines.weights import digest_of
from model.training.card import CARD
from model.training.data import digests_of
from model.training.recipe import Recipe
from model.training.run import Trained, find_base

if TYPE_CHECKING:
    from pathlib import Path


def read_finished(
    recipe: Recipe,
    *,
    data: Path,
    out: Path,
    base: Path | None = None,
    begin: Path | None = None,
) -> Trained | None:
    """Return what a run left, its seconds 0; None where this very run has not ended.

    Args:
        recipe: The numbers; a field that the card's recipe has not is as unset there, and
            ``workers`` may be others.
        data: Folder with train.jsonl and dev.jsonl.
        out: The run's folder.
        base: Folder of the base model; None for the demo base.
        begin: Folder of the adapter it went on from, if any.

    Raises:
        EngineUnavailableError: The base model is not there.
        RecipeRefusedError: The recipe's base cannot be taken.
    """
    try:
        card = json.loads((out / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    from model.training.saving import digest_of_weights

    told = (
        recipe.as_run(),
        digests_of(data),
        digest_of(find_base(recipe, base)),
        None if begin is None else digest_of_weights(begin),
        digest_of_weights(out),
    )
    try:
        if told != _told_by(card):
            return None
        return Trained(
            folder=out,
            dev_losses={int(step): loss for step, loss in card["dev_loss_nats_per_token"].items()},
            rows=card["data"]["counts"]["train"],
            steps=card["steps"],
            kept_step=card["kept_step"],
            parameters=card["trained_parameters"],
            wall_s=0.0,
            cpu_s=0.0,
        )
    except (KeyError, TypeError, ValueError):
        return None  # somebody else's card


def _told_by(card: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a card says that its run was, and its weights."""
    return (
        Recipe.model_validate(card["recipe"]).as_run(),
        card["data"]["sha256"],
        card["base"]["sha256"],
        card.get("begun_from"),
        card["adapter_sha256"],
    )
