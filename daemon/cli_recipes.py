"""Recipes as commands take them: a YAML file, or the bare name of one that is shipped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import model
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from model.training import Recipe

    Read = TypeVar("Read", bound=BaseModel)

TRAINING = Path(model.__file__).parent / "training" / "recipes"
DRAFTING = Path(model.__file__).parent / "drafting" / "recipes"


def names_of(shelf: Path) -> str:
    """Return the names of the recipes that are shipped, for people."""
    return ", ".join(sorted(path.stem for path in shelf.glob("*.yaml")))


def read_training_recipe(told: Path | None) -> Recipe:
    """Read how to train; None is the demo adapter's recipe.

    Raises:
        ConfigurationError: As ``read_recipe``.
    """
    from model.training import load_recipe

    return read_recipe(Path("demo") if told is None else told, TRAINING, load_recipe)


def read_recipe(told: Path, shelf: Path, load: Callable[[Path], Read]) -> Read:
    """Read a recipe.

    Args:
        told: A file, or the name of a shipped one; a file of that name goes before it.
        shelf: ``TRAINING`` or ``DRAFTING``.
        load: What reads its kind.

    Raises:
        ConfigurationError: There is none, or it is wrong; with the path of its first wrong field.
    """
    import yaml
    from pydantic import ValidationError

    path = _find(told, shelf)
    try:
        return load(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot_read_file ({type(error).__name__})", str(path)) from None
    except yaml.YAMLError:
        raise ConfigurationError("not_yaml", str(path)) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        where = f"{path}: {field}" if field else str(path)
        raise ConfigurationError(first["msg"], where) from None


def _find(told: Path, shelf: Path) -> Path:
    shipped = shelf / f"{told.name}.yaml"
    if len(told.parts) == 1 and not told.is_file() and shipped.is_file():
        return shipped
    if not told.exists():
        raise ConfigurationError(f"no_such_recipe (shipped: {names_of(shelf)})", str(told))
    return told
