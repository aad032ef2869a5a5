"""What drafting by a recipe is told: a YAML file, checked. The same recipe, reports and machine
give the same drafts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel, ConfigDict, Field

# Pydantic asks for the class itself when it builds the model.
from model.training.recipe import Recipe  # noqa: TC001

if TYPE_CHECKING:
    from pathlib import Path


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClassFilter(_Part):
    """Whether a report gets a short normal impression is decided first, and binds its draft.

    Attributes:
        invented_max: Share of the short normal training reports that may be taken for others: the
            threshold is the lowest that keeps to it when training is cross-validated.
        folds: Of the cross-validation.
        strength: Inverse of the regularisation of the logistic regression (its C).
    """

    invented_max: float = Field(0.08, gt=0, lt=1)
    folds: int = Field(5, ge=2, le=20)
    strength: float = Field(1.0, gt=0)


class AdapterPlan(_Part):
    """An adapter that has learned the reports that are not short normal, and drafts those alone.

    Attributes:
        training: How it is trained.
        exemplars: Impressions of the nearest reports of the kind that the prompt shows as style.
        samples: Drafts of a report besides the likeliest one.
        temperature: Of the sampling.
        weight: Votes of all drafts together, as a share of the neighbours' votes.
    """

    training: Recipe
    exemplars: int = Field(2, ge=0, le=5)
    samples: int = Field(4, ge=0, le=64)
    temperature: float = Field(0.8, gt=0, le=2)
    weight: float = Field(1.0, ge=0)


class DraftingRecipe(_Part):
    """How a report is drafted.

    Attributes:
        name: Of the contender in tables.
        seed: Of the folds, of the adapter's dev rows and of the sampling.
        neighbours: Training reports whose impressions are candidates and voters.
        power: A neighbour's vote is its similarity to this power.
        classes: None lets neighbours of either kind vote, and the commonest kind wins.
        adapter: None drafts without a model.
        checks: Candidates in which a draft check finds a number, side or finding that is not the
            report's are passed over while others are left.
    """

    name: str = Field(min_length=1, pattern=r"^[a-z0-9-]+$")
    seed: int = Field(0, ge=0, lt=2**32)
    neighbours: int = Field(20, ge=1, le=200)
    power: float = Field(4.0, ge=0)
    classes: ClassFilter | None = None
    adapter: AdapterPlan | None = None
    checks: bool = False


def load_drafting_recipe(path: Path) -> DraftingRecipe:
    """Read a recipe file.

    Raises:
        pydantic.ValidationError: A field is missing, unknown or out of bounds.
    """
    return DraftingRecipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
