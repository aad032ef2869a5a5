"""A whole run on a tiny base: repeatable, saved on the way, loadable by the engine."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model.corpora.asking import prompt_of
from model.corpora.schema import read_corpus
from model.engine import EngineConfiguration
from model.errors import RecipeRefusedError
from model.training import Recipe, run_training
from model.training.recipe import BaseModelSpec
from model.training.run import find_base
from model.training.strategies import FullStrategy, LoraStrategy
from tests.unit.model.marks import TRAINING

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.training import Trained

pytestmark = TRAINING
pytest.importorskip("torch")

RECIPE = Recipe(
    name="tiny",
    is_demo=True,
    steps=2,
    tokens_per_batch=900,
    learning_rate=0.01,
    warmup_steps=1,
    strategy=LoraStrategy(rank=4, upper_layers=1),
    dev_every=1,
    dev_rows=2,
)
NAMES = [
    "CARD.md",
    "adapter_config.json",
    "adapter_model.safetensors",
    "card.json",
    "curve.json",
    "curve.svg",
]


@pytest.fixture
def trained(tiny_base: Path, small_corpus: Path, tmp_path: Path) -> Trained:
    return run_training(RECIPE, data=small_corpus, out=tmp_path / "first", base=tiny_base)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_recipe_and_data_give_the_same_bytes_and_another_seed_others(
    trained: Trained, tiny_base: Path, small_corpus: Path, tmp_path: Path
) -> None:
    again = run_training(RECIPE, data=small_corpus, out=tmp_path / "again", base=tiny_base)
    reseeded = RECIPE.model_copy(update={"seed": 1})
    other = run_training(reseeded, data=small_corpus, out=tmp_path / "other", base=tiny_base)

    assert list(bytes_of(trained.folder)) == NAMES
    assert bytes_of(again.folder) == bytes_of(trained.folder)
    weights = "adapter_model.safetensors"
    assert bytes_of(other.folder)[weights] != bytes_of(trained.folder)[weights]


def test_the_adapter_names_its_base_and_holds_no_path(trained: Trained, tmp_path: Path) -> None:
    settings = json.loads((trained.folder / "adapter_config.json").read_text())

    assert settings["base_model_name_or_path"] == "tiny-base"
    assert settings["inference_mode"] is True
    for name, content in bytes_of(trained.folder).items():
        assert str(tmp_path).encode() not in content, name
        assert b"/tmp" not in content, name


def test_the_engine_drafts_with_the_adapter(
    trained: Trained, tiny_base: Path, small_corpus: Path
) -> None:
    from model.engines.transformers_lora import load_transformers_engine

    engine = load_transformers_engine(
        EngineConfiguration(
            engine="transformers",
            base=str(tiny_base),
            adapters={"tiny": str(trained.folder)},
            dtype="float32",
            is_demo=False,
        )
    )
    report = next(read_corpus(small_corpus / "dev.jsonl"))
    (draft,) = engine.generate([engine.prepare(prompt_of(report, adapter="tiny"))])

    assert draft.engine.adapter == "tiny"
    assert draft.engine.is_demo, "the card says that the adapter is for show"
    assert draft.output_tokens > 0


def test_the_card_holds_what_is_needed_to_make_the_adapter_again(
    trained: Trained, small_corpus: Path
) -> None:
    card = json.loads((trained.folder / "card.json").read_text())
    weights = (trained.folder / "adapter_model.safetensors").read_bytes()
    train = hashlib.sha256((small_corpus / "train.jsonl").read_bytes()).hexdigest()

    assert card["data"]["sha256"]["train"] == train
    assert card["recipe"] == RECIPE.model_dump(mode="json")
    assert card["base"]["name"] == "tiny-base"
    assert card["adapter_sha256"] == hashlib.sha256(weights).hexdigest()
    assert card["dev_loss_nats_per_token"].keys() == {"1", "2"}
    assert train in (trained.folder / "CARD.md").read_text()
    assert trained.rows == 12


def test_the_card_counts_what_was_learned_until_the_kept_step_and_not_the_file(
    tiny_base: Path, small_corpus: Path, tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"tokens_per_batch": 1})  # a report a step

    run_training(recipe, data=small_corpus, out=tmp_path, base=tiny_base)

    data = json.loads((tmp_path / "card.json").read_text())["data"]
    assert data["trained_on"]["reports"] == 2
    assert data["trained_on"]["parts"]["language"] == {"en": 2}
    assert sum(data["trained_on"]["parts"]["site"].values()) == 2
    assert data["in_file"]["language"] == {"en": 12}
    assert "Trained on 2 of 12 reports in the file." in (tmp_path / "CARD.md").read_text()


def cut_off_after(step: int) -> Callable[[int, float, float | None], None]:
    def report(done: int, loss: float, dev_loss: float | None) -> None:
        if done == step:
            raise KeyboardInterrupt

    return report


@pytest.mark.parametrize("strategy", [LoraStrategy(rank=4, dropout=0.2), FullStrategy()])
def test_a_run_that_was_cut_off_goes_on_to_the_same_bytes(
    strategy: LoraStrategy | FullStrategy, tiny_base: Path, small_corpus: Path, tmp_path: Path
) -> None:
    longer = {"steps": 6, "dev_every": 2, "accumulation": 2, "packing": True}
    recipe = RECIPE.model_copy(update={**longer, "strategy": strategy})
    whole, out = tmp_path / "whole", tmp_path / "out"
    run_training(recipe, data=small_corpus, out=whole, base=tiny_base)

    with pytest.raises(KeyboardInterrupt):
        run_training(recipe, data=small_corpus, out=out, base=tiny_base, report=cut_off_after(3))
    assert (out / "checkpoint").is_dir()
    starts: list[tuple[int, int]] = []
    resumed = run_training(
        recipe,
        data=small_corpus,
        out=out,
        base=tiny_base,
        on_start=lambda *numbers: starts.append(numbers),
        resume=True,
    )

    assert starts == [(2, 6)]
    assert bytes_of(out) == bytes_of(whole)
    assert resumed.steps == 6


def test_a_run_that_was_cut_off_is_taken_up_with_more_workers(
    tiny_base: Path, small_corpus: Path, tmp_path: Path
) -> None:
    changes = {"device": "cpu", "accumulation": 2, "tokens_per_batch": 300}
    recipe = RECIPE.model_copy(update=changes)
    quicker = recipe.model_copy(update={"workers": 2})
    whole, out = tmp_path / "whole", tmp_path / "out"
    run_training(quicker, data=small_corpus, out=whole, base=tiny_base)

    with pytest.raises(KeyboardInterrupt):
        run_training(recipe, data=small_corpus, out=out, base=tiny_base, report=cut_off_after(1))
    starts: list[int] = []
    run_training(
        quicker,
        data=small_corpus,
        out=out,
        base=tiny_base,
        on_start=lambda done, _: starts.append(done),
        resume=True,
    )

    assert starts == [1]
    assert bytes_of(out) == bytes_of(whole)
    assert json.loads((out / "card.json").read_text())["recipe"]["workers"] == 2


def test_another_runs_checkpoint_is_not_gone_on_from(
    tiny_base: Path, small_corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_training(RECIPE, data=small_corpus, out=out, base=tiny_base, report=cut_off_after(1))
    assert {"adapter_config.json", "adapter_model.safetensors"} < {p.name for p in out.iterdir()}
    other = RECIPE.model_copy(update={"seed": 1})

    with pytest.raises(RecipeRefusedError, match="checkpoint_of_another_run"):
        run_training(other, data=small_corpus, out=out, base=tiny_base, resume=True)


def test_no_run_writes_over_its_base_or_beside_weights_of_another_kind(
    trained: Trained, tiny_base: Path, small_corpus: Path, tmp_path: Path
) -> None:
    whole = RECIPE.model_copy(update={"strategy": FullStrategy()})
    weights = bytes_of(tiny_base)
    copy = Path(shutil.copytree(tiny_base, tmp_path / "copy"))
    tries = [(whole, tiny_base), (RECIPE, tiny_base), (whole, copy), (whole, trained.folder)]

    for recipe, out in tries:
        with pytest.raises(RecipeRefusedError, match="choose another folder"):
            run_training(recipe, data=small_corpus, out=out, base=tiny_base)

    assert bytes_of(tiny_base) == weights


def test_a_run_that_was_cut_off_leaves_no_card_of_the_run_before(
    trained: Trained, tiny_base: Path, small_corpus: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_training(
            RECIPE.model_copy(update={"seed": 4}),
            data=small_corpus,
            out=trained.folder,
            base=tiny_base,
            report=cut_off_after(1),
        )

    assert not (trained.folder / "card.json").exists()


def test_a_run_that_stops_early_leaves_the_best_adapter_and_says_so(
    tiny_base: Path, small_corpus: Path, tmp_path: Path
) -> None:
    changes = {"steps": 12, "learning_rate": 1.0, "early_stopping_patience": 2}
    recipe = RECIPE.model_copy(update={**changes, "keep_checkpoints": True})

    trained = run_training(recipe, data=small_corpus, out=tmp_path, base=tiny_base)

    losses, weights = trained.dev_losses, "adapter_model.safetensors"
    assert trained.kept_step == min(losses, key=losses.__getitem__)
    assert trained.steps == trained.kept_step + 2
    best = tmp_path / "steps" / f"{trained.kept_step:06d}"
    last = tmp_path / "steps" / f"{trained.steps:06d}"
    kept = (tmp_path / weights).read_bytes()
    assert kept == (best / weights).read_bytes()
    assert kept != (last / weights).read_bytes()
    assert json.loads((tmp_path / "card.json").read_text())["kept_step"] == trained.kept_step


def test_a_recipe_for_another_base_asks_for_its_folder() -> None:
    spec = BaseModelSpec(name="Llama-3-8B")

    with pytest.raises(RecipeRefusedError, match="give the folder of Llama-3-8B with --base"):
        find_base(RECIPE.model_copy(update={"base": spec}), None)


def test_no_base_runs_code_of_its_own(tmp_path: Path) -> None:
    spec = BaseModelSpec(name="Baichuan2-13B", needs_remote_code=True)
    recipe = RECIPE.model_copy(update={"base": spec})
    (tmp_path / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "x.Y"}}))

    with pytest.raises(RecipeRefusedError, match="runs no such code") as unnamed:
        find_base(recipe, None)
    with pytest.raises(RecipeRefusedError, match="auto_map"):
        find_base(recipe, tmp_path)
    assert unnamed.value.where == "base.needs_remote_code"
    (tmp_path / "config.json").write_text("{}")
    assert find_base(recipe, tmp_path) == tmp_path
