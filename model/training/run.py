"""One training run, from a recipe and a corpus to an adapter folder with its card and curve.

At every look at the dev rows the run is saved: the adapter (the best one where the run may stop
early), and a checkpoint that a run that was cut off goes on from, to the same bytes.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from model.base_model import NAME as DEMO_BASE
from model.base_model import prepare_base_model
from model.engines.weights import digest_of
from model.errors import RecipeRefusedError
from model.prompt import version_of
from model.training.card import remove_card, write_card
from model.training.curve import write_curve
from model.training.data import count_parts, read_training_data

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model.training.loop import Trainer
    from model.training.recipe import Recipe

LIBRARIES = ("torch", "transformers", "peft")


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run made.

    Attributes:
        folder: Of the adapter, or of the whole base.
        dev_losses: Step and mean loss in nats a token.
        rows: Reports learned from.
        steps: Steps done.
        kept_step: Whose weights are in the folder.
        parameters: Numbers that were trained.
        wall_s: Seconds of training; since it was taken up, for a resumed run.
        cpu_s: CPU seconds of the same.
    """

    folder: Path
    dev_losses: dict[int, float]
    rows: int
    steps: int
    kept_step: int
    parameters: int
    wall_s: float
    cpu_s: float


def run_training(  # noqa: PLR0913 - what `prelim train` is told
    recipe: Recipe,
    *,
    data: Path,
    out: Path,
    base: Path | None = None,
    begin: Path | None = None,
    report: Callable[[int, float, float | None], None] = lambda *_: None,
    on_start: Callable[[int, int], None] = lambda *_: None,
    resume: bool = False,
) -> Trained:
    """Fine-tune a base.

    Args:
        recipe: The numbers.
        data: Folder with train.jsonl and dev.jsonl, rows as ``CorpusRow``.
        out: Folder for what is made and its card; made when missing.
        base: Folder of the base model; None for the demo base.
        begin: Folder of an adapter whose weights are the first; None draws them by chance.
        report: Called after each step with step, loss and, when it was taken, dev loss.
        on_start: Called with the steps done already and those of the whole run.
        resume: Go on from the checkpoint in ``out``, where there is one.

    Returns:
        Where it is, its losses on the dev rows, and its cost.

    Raises:
        EngineUnavailableError: The base model or a library is not there.
        RecipeRefusedError: The recipe cannot be run on this base, ``out`` holds weights of
            another kind, or the checkpoint is another's.
        CorpusUnreadableError: The corpus cannot be used.
    """
    run = _prepare(recipe, data, out, find_base(recipe, base), begin, resume=resume)
    on_start(run.trainer.position.step, run.trainer.steps)
    wall, cpu = time.perf_counter(), time.process_time()
    run.trainer.run(report, run.save)
    return run.finish(time.perf_counter() - wall, time.process_time() - cpu)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run made ready; ``told`` is what makes it this run and no other."""

    recipe: Recipe
    out: Path
    tokenizer: Any
    trainer: Trainer
    told: dict[str, Any]
    parts: list[tuple[str, ...]] = field(repr=False)

    def save(self, is_best: bool) -> None:  # noqa: FBT001 - as Trainer.run calls it
        """Save what a look at the dev rows leaves."""
        from model.training.checkpoint import save_checkpoint
        from model.training.saving import save_trained

        recipe, trainer, base_name = self.recipe, self.trainer, self.told["base"]["name"]
        places = [self.out] if is_best or recipe.early_stopping_patience is None else []
        if recipe.keep_checkpoints:
            places.append(self.out / "steps" / f"{trainer.position.step:06d}")
        for place in places:
            save_trained(trainer.model, self.tokenizer, place, base_name=base_name, recipe=recipe)
        write_curve(self.out, trainer.position)
        save_checkpoint(trainer, self.out, self.told)

    def finish(self, wall_s: float, cpu_s: float) -> Trained:
        """Write the card and take away what only a run that was cut off needs."""
        from model.training.checkpoint import remove_checkpoint
        from model.training.saving import digest_of_weights

        trainer = self.trainer
        trained = Trained(
            folder=self.out,
            dev_losses=trainer.position.dev_losses,
            rows=self.told["data"]["counts"]["train"],
            steps=trainer.position.step,
            kept_step=_kept_step(trainer, self.recipe),
            parameters=sum(weights.numel() for weights in trainer.trained.values()),
            wall_s=wall_s,
            cpu_s=cpu_s,
        )
        facts = _facts(self.recipe, trained, self.told, digest_of_weights(self.out))
        write_card(self.out, facts | {"data": self._data_facts(trained.kept_step)})
        remove_checkpoint(self.out)
        return trained

    def _data_facts(self, steps: int) -> dict[str, Any]:
        """Tell what lay in the file, and what of it the kept weights have learned."""
        data = dict(self.told["data"])
        in_file = data.pop("seen")
        learned = [self.parts[place] for place in self.trainer.places_of(steps)]
        trained_on = {"reports": len(learned), "parts": count_parts(learned)}
        return data | {"in_file": in_file, "trained_on": trained_on}


def _prepare(
    recipe: Recipe, data: Path, out: Path, folder: Path, begin: Path | None, *, resume: bool
) -> _Run:
    # Here and not above: torch is loaded when a run starts.
    from model.training.adapting import load_for_training
    from model.training.beginning import begin_with, require_other_folder
    from model.training.checkpoint import remove_checkpoint, restore_checkpoint
    from model.training.lanes import prefix_tokens, soft_tokens
    from model.training.loop import Trainer
    from model.training.saving import digest_of_weights, require_own_folder

    require_own_folder(out, folder, is_base=recipe.strategy.is_base)
    if begin is not None:
        require_other_folder(begin, out)
    model, tokenizer = load_for_training(folder, recipe)
    if begin is not None:
        begin_with(model, begin, recipe)
    context = model.config.max_position_embeddings - soft_tokens(model) - prefix_tokens(model)
    rows = read_training_data(data, tokenizer, recipe.prompt, tokens_max=context)
    trainer = Trainer(model, rows.train, rows.dev, recipe)
    told = {
        "recipe": recipe.as_run(),
        "data": rows.facts,
        "base": {"name": folder.name, "sha256": digest_of(folder)},
        # Not told where there is none: so it was in checkpoints before there was --from.
        **({} if begin is None else {"begun_from": digest_of_weights(begin)}),
    }
    out.mkdir(parents=True, exist_ok=True)
    if not (resume and restore_checkpoint(trainer, out, told)):
        remove_checkpoint(out)
        remove_card(out)  # of a run before: it would tell of weights that are no longer there
    return _Run(recipe, out, tokenizer, trainer, told, rows.parts)


def find_base(recipe: Recipe, base: Path | None) -> Path:
    """Return the folder of the base to train on.

    Raises:
        RecipeRefusedError: The recipe's base runs code of its own, or its folder was not given.
    """
    if base is None:
        if recipe.base.needs_remote_code:
            raise RecipeRefusedError(
                f"the published folder of {recipe.base.name} runs code of its own when it is"
                " loaded; prelim runs no such code: give a base of a native class with --base",
                "base.needs_remote_code",
            )
        if recipe.base.name != DEMO_BASE:
            raise RecipeRefusedError(
                f"give the folder of {recipe.base.name} with --base", "base.name"
            )
        return prepare_base_model()
    if _has_own_code(base):
        raise RecipeRefusedError(
            "its config.json names code of its own (auto_map); prelim runs no such code", str(base)
        )
    return base


def _has_own_code(folder: Path) -> bool:
    try:
        return "auto_map" in json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # what the folder lacks is told when it is loaded


def _kept_step(trainer: Trainer, recipe: Recipe) -> int:
    position = trainer.position
    return position.step if recipe.early_stopping_patience is None else position.best_step


def _facts(recipe: Recipe, trained: Trained, told: dict[str, Any], digest: str) -> dict[str, Any]:
    """Return what the card says: nothing of the clock, so that the same run makes the same card."""
    return {
        **told,
        "recipe": recipe.model_dump(mode="json"),
        "name": recipe.name,
        "is_demo": recipe.is_demo,
        "prompt_template": version_of(recipe.prompt),
        "steps": trained.steps,
        "kept_step": trained.kept_step,
        "trained_parameters": trained.parameters,
        "dev_loss_nats_per_token": trained.dev_losses,
        "adapter_sha256": digest,
        "versions": {name: version(name) for name in LIBRARIES},
    }
