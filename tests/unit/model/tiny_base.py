"""A random Llama small enough to train in a second, with a tokenizer of its own and a real prompt's
worth of context; and a corpus of a few reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.synth import Counts, read_rows, write_corpus

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = 1_024
COUNTS = Counts(train=12, dev=3, test=6)


def make_corpus(folder: Path) -> Path:
    """Write a few reports of each split."""
    return write_corpus(folder, seed=7, counts=COUNTS).folder


def make_tiny_base(folder: Path, corpus: Path) -> Path:
    """Save model and tokenizer as a base folder; the same weights each time."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (f"{row['findings']} {row['impression']}" for row in read_rows(corpus / "train.jsonl"))
    tokenizer.train_from_iterator(texts, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(wrapped),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        eos_token_id=wrapped.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    wrapped.save_pretrained(folder)
    return folder
