"""Whatever a run has trained writes drafts, each as it would alone."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")

import torch

import model.training
from model.corpora.asking import prompt_of
from model.corpora.schema import read_corpus
from model.engine import EngineConfiguration
from model.errors import EngineUnavailableError, PromptRefusedError
from model.training import load_recipe, run_training
from model.training.adapting import load_for_training
from model.training.saving import save_trained
from model.training.strategies import LoraStrategy, PrefixStrategy
from model.training.writer import Writer, _choose, load_writer
from tests.unit.model.marks import TRAINING
from tests.unit.model.training.tiny_rows import STRATEGIES, disturb, recipe_of

if TYPE_CHECKING:
    from mappings.domain import Prompt
    from model.training.strategies import Strategy

pytestmark = TRAINING
RECIPES = sorted((Path(model.training.__file__).parent / "recipes").glob("*.yaml"))


@pytest.fixture
def prompts(small_corpus: Path) -> list[Prompt]:
    rows = read_corpus(small_corpus / "train.jsonl")
    told = [replace(prompt_of(row), output_tokens_max=6 + n) for n, row in enumerate(rows)]
    return told[:5]


def saved(strategy: Strategy, base: Path, folder: Path) -> Path:
    """A folder as a run leaves it, with what is trained disturbed so that it has an effect."""
    recipe = recipe_of(strategy)
    adapted, tokenizer = load_for_training(base, recipe)
    disturb(adapted, size=1.0)
    save_trained(adapted, tokenizer, folder, base_name=base.name, recipe=recipe)
    return folder


def likeliest_by_the_library(writer: Writer, prompt: Prompt) -> str:
    """Greedy, without a cache: the whole text is read again for each token."""
    tokeniser, inner = writer._tokeniser, writer._model
    ids, answer = list(tokeniser.encode(prompt)), list[int]()
    while len(answer) < prompt.output_tokens_max:
        told = torch.tensor([[*ids, *answer]])
        with torch.no_grad():
            logits = inner(input_ids=told, attention_mask=torch.ones_like(told)).logits
        token = int(logits[0, -1].argmax())
        if token in writer._eos_ids:
            break
        answer.append(token)
    return tokeniser.decode(answer)


@torch.inference_mode()
def first_logits(writer: Writer, prompt: Prompt) -> torch.Tensor:
    return writer._read([writer._asked(0, prompt)]).logits


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: one.kind)
def test_each_strategy_writes_what_the_model_says_is_likeliest(
    strategy: Strategy, tiny_base: Path, prompts: list[Prompt], tmp_path: Path
) -> None:
    writer = load_writer(saved(strategy, tiny_base, tmp_path / "out"), tiny_base, dtype="float32")
    bare = load_writer(None, tiny_base, dtype="float32")

    drafts = writer.write(prompts)

    first = first_logits(writer, prompts[0])
    assert not first.allclose(first_logits(bare, prompts[0])), "what was trained has an effect"
    assert drafts == [[likeliest_by_the_library(writer, prompt)] for prompt in prompts]


def test_a_lora_writes_what_the_daemon_would(
    tiny_base: Path, prompts: list[Prompt], tmp_path: Path
) -> None:
    from model.engines.transformers_lora import load_transformers_engine

    folder = saved(LoraStrategy(rank=4), tiny_base, tmp_path / "out")
    engine = load_transformers_engine(
        EngineConfiguration(
            engine="transformers",
            base=str(tiny_base),
            adapters={"tiny": str(folder)},
            dtype="float32",
        )
    )
    served = engine.generate([engine.prepare(replace(one, adapter="tiny")) for one in prompts])

    drafts = load_writer(folder, tiny_base, dtype="float32").write(prompts)

    assert drafts == [[draft.text] for draft in served]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_each_shipped_recipes_strategy_trains_and_writes(
    path: Path, tiny_base: Path, small_corpus: Path, prompts: list[Prompt], tmp_path: Path
) -> None:
    recipe = load_recipe(path)
    if recipe.strategy.kind == "qlora":
        pytest.importorskip("bitsandbytes")
    told = recipe.model_dump()
    if recipe.base.needs_remote_code and recipe.strategy.kind == "lora":
        # Its base's own names; of a base converted to a native class it adapts all.
        told["strategy"]["modules"] = ()
    short = {"steps": 2, "epochs": None, "warmup_steps": 0, "dev_every": 1, "dev_rows": 1}
    small = {"tokens_per_batch": 900, "accumulation": 2, "threads": 1}
    tiny = type(recipe).model_validate({**told, **short, **small})

    trained = run_training(tiny, data=small_corpus, out=tmp_path, base=tiny_base)

    assert trained.steps == 2
    drafts = load_writer(tmp_path, tiny_base, dtype="float32").write(prompts[:2])
    assert [len(one) for one in drafts] == [1, 1]


@pytest.mark.parametrize("strategy", [LoraStrategy(rank=4), PrefixStrategy(virtual_tokens=3)])
def test_samples_follow_from_the_seed_and_differ(
    strategy: Strategy, tiny_base: Path, prompts: list[Prompt], tmp_path: Path
) -> None:
    writer = load_writer(saved(strategy, tiny_base, tmp_path / "out"), tiny_base, dtype="float32")
    done: list[int] = []

    first = writer.write(prompts, samples=3, temperature=1.0, seed=4, advance=done.append)

    assert [len(drafts) for drafts in first] == [3] * len(prompts)
    assert sum(done) == len(prompts)
    assert any(one != other for drafts in first for one, other in pairwise(drafts))
    assert writer.write(prompts, samples=3, temperature=1.0, seed=4) == first
    assert writer.write(prompts, samples=3, temperature=1.0, seed=5) != first
    alone = writer.write(prompts[:1], samples=3, temperature=1.0, seed=4)
    assert alone == first[:1], "a draft does not depend on the rows beside it"


def test_greedy_samples_are_one_draft(tiny_base: Path, prompts: list[Prompt]) -> None:
    writer = load_writer(None, tiny_base, dtype="float32")

    assert writer.write(prompts[:1], samples=3) == [writer.write(prompts[:1])[0] * 3]


def test_a_token_is_drawn_as_often_as_it_is_likely() -> None:
    logits = torch.log(torch.tensor([[0.2, 0.5, 0.3]]))
    chance = random.Random(1)  # noqa: S311 - a test's own chance

    drawn = [_choose(logits, 1.0, [chance])[0] for _ in range(2_000)]
    cold = [_choose(logits, 0.05, [chance])[0] for _ in range(200)]

    assert [drawn.count(token) / 2_000 for token in range(3)] == pytest.approx(
        [0.2, 0.5, 0.3], abs=0.04
    )
    assert cold.count(1) > 195


def test_a_prompt_too_long_is_refused_before_anything_runs(
    tiny_base: Path, prompts: list[Prompt]
) -> None:
    writer = load_writer(None, tiny_base, dtype="float32")
    writer.require(prompts[0])

    with pytest.raises(PromptRefusedError) as caught:
        writer.write([prompts[0], replace(prompts[1], output_tokens_max=5_000)])

    assert (caught.value.reason, caught.value.where) == ("prompt_too_long", "prompt 1")
    with pytest.raises(PromptRefusedError, match="prompt_too_long"):
        writer.require(replace(prompts[1], output_tokens_max=5_000))


def test_a_folder_that_does_not_fit_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    folder = saved(LoraStrategy(rank=4, upper_layers=1), tiny_base, tmp_path / "out")
    with pytest.raises(EngineUnavailableError, match="base_folder_needed"):
        load_writer(folder)
    with pytest.raises(EngineUnavailableError, match="weights_missing"):
        load_writer(tmp_path)
    settings = (folder / "adapter_config.json").read_text()
    (folder / "adapter_config.json").write_text(settings.replace('"q_proj"', '"none_such"'))

    with pytest.raises(EngineUnavailableError, match="adapter_of_another_base"):
        load_writer(folder, tiny_base)


def test_a_writer_counts_numbers_and_tokens(tiny_base: Path) -> None:
    writer = load_writer(None, tiny_base)

    assert writer.parameters > 10_000
    assert writer.count_tokens("No effusion.") > 1
