"""What each strategy trains on a tiny Llama, and what it is refused on."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")

import torch

from model.errors import EngineUnavailableError, RecipeRefusedError
from model.training import adapting
from model.training.adapting import choose_device, linear_layers, load_base
from model.training.strategies import (
    FreezeStrategy,
    FullStrategy,
    Ia3Strategy,
    LoraStrategy,
    PrefixStrategy,
    PromptStrategy,
    PTuningStrategy,
    QloraStrategy,
)
from tests.unit.model.marks import TRAINING
from tests.unit.model.training.tiny_rows import load, recipe_of, trained_weights

if TYPE_CHECKING:
    from pathlib import Path

    from model.training.strategies import Strategy

pytestmark = TRAINING


@pytest.mark.parametrize(
    ("strategy", "parts", "numbers"),
    [
        # 2 layers, hidden 32, keys and values 16, feed-forward 64; see tiny_base.py.
        (LoraStrategy(rank=2), {"lora_A", "lora_B"}, 2 * 2 * (3 * 96 + 2 * 48 + 2 * 64)),
        (LoraStrategy(rank=2, modules=("q_proj",)), {"q_proj"}, 2 * 2 * 64),
        (Ia3Strategy(), {"ia3_l"}, 2 * (16 + 16 + 64)),
        (PromptStrategy(virtual_tokens=5), {"prompt_encoder"}, 5 * 32),
        (PTuningStrategy(virtual_tokens=5, hidden_size=16), {"prompt_encoder"}, None),
        (PTuningStrategy(virtual_tokens=5, encoder="lstm"), {"lstm_head", "mlp_head"}, None),
        (PrefixStrategy(virtual_tokens=5), {"prompt_encoder"}, 5 * 2 * 2 * 16),
        (PrefixStrategy(virtual_tokens=5, hidden_size=8), {"transform"}, None),
        (FreezeStrategy(upper_layers=1), {"layers.1."}, None),
        (FullStrategy(), {"embed_tokens", "lm_head", "layers.0.", "norm"}, None),
    ],
    ids=range(10),
)
def test_a_strategy_trains_what_it_says_and_nothing_else(
    strategy: Strategy, parts: set[str], numbers: int | None, tiny_base: Path
) -> None:
    model, _ = load(tiny_base, recipe_of(strategy))

    trained = trained_weights(model)
    assert all(any(part in name for name in trained) for part in parts)
    if strategy.kind == "freeze":
        assert all(".layers.1." in name for name in trained)
    if numbers is not None:
        assert sum(one.numel() for one in trained.values()) == numbers
    frozen = [one for one in model.parameters() if not one.requires_grad]
    assert (strategy.kind == "full") == (not frozen)


def test_lora_takes_every_linear_layer_but_the_output_head(tiny_base: Path) -> None:
    model, _ = load_base(tiny_base, dtype=torch.float32, device=torch.device("cpu"))

    assert linear_layers(model) == [
        "down_proj",
        "gate_proj",
        "k_proj",
        "o_proj",
        "q_proj",
        "up_proj",
        "v_proj",
    ]


def test_virtual_tokens_begin_as_the_words_told(tiny_base: Path) -> None:
    strategy = PromptStrategy(virtual_tokens=9, first_words="lungs")

    model, tokenizer = load(tiny_base, recipe_of(strategy))

    ids = tokenizer("lungs", add_special_tokens=False)["input_ids"]
    embedding = model.get_base_model().get_input_embeddings().weight
    begun = model.prompt_encoder["default"].embedding.weight
    assert len(ids) < 9
    assert begun[0].equal(embedding[ids[0]])
    assert begun[len(ids)].equal(embedding[ids[0]])


def test_modules_that_the_base_lacks_are_refused(tiny_base: Path) -> None:
    with pytest.raises(RecipeRefusedError, match="modules_not_in_base"):
        load(tiny_base, recipe_of(LoraStrategy(modules=("W_pack",))))


def test_a_base_whose_output_head_is_scaled_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scaled"
    shutil.copytree(tiny_base, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"logit_scale": 0.5}))

    with pytest.raises(RecipeRefusedError, match="base_with_scaled_output_head"):
        load(folder, recipe_of(LoraStrategy()))


def test_a_folder_without_weights_or_with_broken_ones_is_refused(
    tiny_base: Path, tmp_path: Path
) -> None:
    with pytest.raises(EngineUnavailableError, match="weights_missing"):
        load(tmp_path, recipe_of(LoraStrategy()))
    folder = tmp_path / "broken"
    shutil.copytree(tiny_base, folder)
    (folder / "model.safetensors").write_bytes(b"no weights")

    with pytest.raises(EngineUnavailableError, match="weights_unreadable"):
        load(folder, recipe_of(LoraStrategy()))


def test_the_device_is_the_one_that_is_there() -> None:
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    if not torch.cuda.is_available():
        with pytest.raises(EngineUnavailableError, match="device_missing"):
            choose_device("cuda")


def test_qlora_keeps_the_base_in_4_bits_and_trains_matrices_in_float32(tiny_base: Path) -> None:
    pytest.importorskip("bitsandbytes")

    model, _ = load(tiny_base, recipe_of(QloraStrategy(rank=2)))

    query = model.get_base_model().model.layers[0].self_attn.q_proj.base_layer
    assert type(query).__name__ == "Linear4bit"
    state = query.weight.quant_state
    assert (state.quant_type, state.nested) == ("nf4", True)
    assert {one.dtype for one in trained_weights(model).values()} == {torch.float32}


def test_without_bitsandbytes_qlora_says_what_to_install(
    tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = adapting.importlib.util.find_spec
    monkeypatch.setattr(
        adapting.importlib.util,
        "find_spec",
        lambda name: None if name == "bitsandbytes" else there(name),
    )

    with pytest.raises(EngineUnavailableError, match=r"install prelim\[qlora\]"):
        load(tiny_base, recipe_of(QloraStrategy()))
