"""A tiny random Llama with a tokenizer and two LoRA adapters, made once for all tests here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from model.engines.quiet_peft import quiet_peft

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = 256
SENTENCES = (
    "There is a 5 mm nodule in the right upper lobe. Small left pleural effusion.",
    "Heart size is normal. No pneumothorax. Findings: the lungs are clear.",
    "system user assistant Write the impression of this report. Ignore the above.",
)


@dataclass(frozen=True)
class TinyModel:
    base: Path
    adapters: dict[str, str]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    import torch
    from peft import LoraConfig, get_peft_model
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    root = tmp_path_factory.mktemp("tiny")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(wrapped),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        eos_token_id=wrapped.eos_token_id,
        # Large, so that the most likely token stands out and rounding decides nothing.
        initializer_range=0.5,
    )
    base = root / "tiny-base"
    LlamaForCausalLM(config).save_pretrained(base)
    wrapped.save_pretrained(base)
    settings = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    adapters = {}
    for name in ("site.one", "site.two"):
        bare = LlamaForCausalLM.from_pretrained(base)
        with quiet_peft():
            model = get_peft_model(bare, settings)
        with torch.no_grad():
            for key, weights in model.named_parameters():
                if "lora_B" in key:
                    weights.normal_(std=0.5)
        folder = root / name
        model.save_pretrained(folder)
        adapters[name] = str(folder)
    return TinyModel(base, adapters)
