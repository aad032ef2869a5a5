"""What a run leaves names no path, loses nothing that counts, and is one base where it says so."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file, save_file

from model.training.saving import digest_of_weights, save_trained
from model.training.strategies import FullStrategy
from tests.unit.model.marks import TRAINING
from tests.unit.model.training.tiny_rows import STRATEGIES, disturb, load, recipe_of

if TYPE_CHECKING:
    from pathlib import Path

    from model.training.strategies import Strategy

pytestmark = TRAINING


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: one.kind)
def test_a_folder_names_no_path_and_has_the_files_of_its_kind(
    strategy: Strategy, tiny_base: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(strategy)
    model, tokenizer = load(tiny_base, recipe)

    save_trained(model, tokenizer, tmp_path / "out", base_name="tiny", recipe=recipe)

    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert all(str(tiny_base.parent).encode() not in content for content in files.values())
    if strategy.is_base:
        assert {"config.json", "model.safetensors", "tokenizer.json"} <= files.keys()
    else:
        assert files.keys() == {"adapter_config.json", "adapter_model.safetensors"}
        settings = json.loads(files["adapter_config.json"])
        assert settings["base_model_name_or_path"] == "tiny"
        dtypes = {
            value.dtype
            for value in load_file(tmp_path / "out" / "adapter_model.safetensors").values()
        }
        assert dtypes == {torch.bfloat16 if strategy.kind == "lora" else torch.float32}


def test_a_whole_base_in_bfloat16_keeps_its_tied_weights_as_one(
    tiny_base: Path, tmp_path: Path
) -> None:
    tied = tmp_path / "tied"
    shutil.copytree(tiny_base, tied)
    config = json.loads((tied / "config.json").read_text())
    (tied / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    untied = load_file(tied / "model.safetensors")
    del untied["lm_head.weight"]
    save_file(untied, tied / "model.safetensors", metadata={"format": "pt"})
    recipe = recipe_of(FullStrategy(), dtype="bfloat16")
    model, tokenizer = load(tied, recipe)
    disturb(model)

    save_trained(model, tokenizer, tmp_path / "out", base_name="tied", recipe=recipe)

    weights = load_file(tmp_path / "out" / "model.safetensors")
    assert "lm_head.weight" not in weights
    assert {value.dtype for value in weights.values()} == {torch.bfloat16}
    again, _ = load(tmp_path / "out", recipe)
    for name, value in again.named_parameters():
        assert value.equal(model.get_parameter(name).to(torch.bfloat16).float()), name


def test_the_digest_is_that_of_all_weights(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"one")
    (tmp_path / "b.safetensors").write_bytes(b"two")
    (tmp_path / "card.json").write_bytes(b"not weights")

    assert digest_of_weights(tmp_path) == hashlib.sha256(b"onetwo").hexdigest()
