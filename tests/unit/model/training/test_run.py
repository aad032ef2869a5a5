"""A whole run on a tiny base: repeatable, saved on the way, loadable by the engine."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from model.engine import EngineConfiguration
from model.synth import read_rows
from model.training import Recipe, run_training
from model.training.rows import prompt_of

if TYPE_CHECKING:
    from pathlib import Path

    from model.training import Trained

pytestmark = [
    pytest.mark.model,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("torch_as_it_was"),
    # peft calls names that transformers will drop in v6, torch names that Python will.
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
]
pytest.importorskip("torch")

RECIPE = Recipe(
    name="tiny",
    is_demo=True,
    steps=2,
    tokens_per_batch=900,
    learning_rate=0.01,
    warmup_steps=1,
    rank=4,
    upper_layers=1,
    dev_every=1,
    dev_rows=2,
)
NAMES = ["CARD.md", "adapter_config.json", "adapter_model.safetensors", "card.json"]


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
    report = next(read_rows(small_corpus / "dev.jsonl"))
    (draft,) = engine.generate([engine.prepare(prompt_of(report, "tiny"))])

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
    assert card["recipe"] == RECIPE.model_dump()
    assert card["base"]["name"] == "tiny-base"
    assert card["adapter_sha256"] == hashlib.sha256(weights).hexdigest()
    assert card["dev_loss_nats_per_token"].keys() == {"1", "2"}
    assert train in (trained.folder / "CARD.md").read_text()
    assert trained.rows == 12


def test_a_run_that_is_cut_off_leaves_the_last_adapter(
    tiny_base: Path, small_corpus: Path, tmp_path: Path
) -> None:
    def cut_off(step: int, loss: float, dev_loss: float | None) -> None:
        if step == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_training(
            RECIPE, data=small_corpus, out=tmp_path / "out", base=tiny_base, report=cut_off
        )

    assert sorted(bytes_of(tmp_path / "out")) == NAMES[1:3]
