"""Who drafts in a comparison of `prelim evaluate`: its options read before anything is drafted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli_drafting import read_drafting_recipe
from daemon.cli_libraries import MODEL_LIBRARIES, require_libraries
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from model.drafting import DraftingRecipe


@dataclass(frozen=True, slots=True)
class Asked:
    """What a comparison is asked for."""

    data: Path
    adapter: Path | None
    base: Path | None
    systems: str | None
    train: Path | None
    against: str | None
    encoder: Path | None
    limit: int | None
    recipe: Path | None
    is_ablated: bool
    redrafts: int


@dataclass(frozen=True, slots=True)
class Contenders:
    """Who drafts.

    Attributes:
        names: Of our own, as ``model/evaluation/contenders.py`` knows them.
        own: Files of drafts, by the name they were given.
        recipe: What drafts besides, where it was asked for.
        against: Whom the tests hold all others against; None is the first.
    """

    names: list[str]
    own: tuple[tuple[str, Path], ...]
    recipe: DraftingRecipe | None
    against: str | None


def read_contenders(asked: Asked, *, has_train: bool) -> Contenders:
    """Read --systems, --redrafts, --recipe and --against.

    Raises:
        ConfigurationError: One is not known, stands twice, or needs reports to learn from.
        EngineUnavailableError: A library that one needs is not installed.
    """
    from model.evaluation.engine_drafts import ADAPTER

    names, own = _read_systems(asked, has_train=has_train)
    if asked.redrafts:
        names = _with_redrafted(names, dict(own))
    known = (*names, *dict(own))
    recipe, drafted_as = _read_recipe(asked, known, has_train=has_train)
    against = _read_against(asked.against, (*known, *drafted_as))
    if ADAPTER in names:
        require_libraries("model", *MODEL_LIBRARIES)
    return Contenders(names, own, recipe, against)


def _read_systems(
    asked: Asked, *, has_train: bool
) -> tuple[list[str], tuple[tuple[str, Path], ...]]:
    """Read --systems: our own by name, and files of drafts."""
    from model.evaluation.contenders import BASELINES, NAMES, NEED_TRAINING
    from model.evaluation.engine_drafts import ADAPTER

    if asked.systems is None:
        names = [name for name in BASELINES if has_train or name not in NEED_TRAINING]
        is_drafting = asked.adapter is not None and asked.recipe is None
        return names + [ADAPTER] * is_drafting, ()
    told = [one.strip() for one in asked.systems.split(",") if one.strip()]
    own = tuple(
        (name, Path(path))
        for name, _, path in (one.partition("=") for one in told)
        if name and path
    )
    names = [one for one in told if "=" not in one]
    everyone = [*names, *(name for name, _ in own)]
    if not told or set(names) - set(NAMES) or len(set(everyone)) < len(told):
        raise ConfigurationError(f"not some of {', '.join(NAMES)}, NAME=FILE", "--systems")
    if set(names) & set(NEED_TRAINING) and not has_train:
        raise ConfigurationError("neighbours_need_--train", "--systems")
    return names, own


def _with_redrafted(names: Sequence[str], others: Collection[str]) -> list[str]:
    """Let the adapter draft once more, as a daemon that makes redrafts."""
    from model.evaluation.engine_drafts import ADAPTER, REDRAFTED

    if ADAPTER not in names:
        raise ConfigurationError("only_where_the_adapter_drafts", "--redrafts")
    if REDRAFTED in others:
        raise ConfigurationError("a_contender_has_this_name", f"--systems: {REDRAFTED}")
    return [*names, REDRAFTED]


def _read_recipe(
    asked: Asked, others: Sequence[str], *, has_train: bool
) -> tuple[DraftingRecipe | None, tuple[str, ...]]:
    """Read --recipe; return it and the names that it drafts as."""
    from model.drafting.by_recipe import names_of

    if asked.recipe is None:
        if asked.is_ablated:
            raise ConfigurationError("only_with_--recipe", "--ablate")
        return None, ()
    if not has_train:
        raise ConfigurationError("a_recipe_needs_--train", "--recipe")
    recipe = read_drafting_recipe(asked.recipe)
    names = names_of(recipe, is_ablated=asked.is_ablated)
    if set(names) & set(others):
        raise ConfigurationError("a_contender_has_this_name", f"{asked.recipe}: name")
    return recipe, names


def _read_against(told: str | None, names: Sequence[str]) -> str | None:
    """Return whom the tests hold all others against; None is the first."""
    if told is None:
        return "nearest" if "nearest" in names else None
    if told not in names:
        raise ConfigurationError(f"no_such_system (there are {', '.join(names)})", "--against")
    return told
