"""The training loop: LoRA on the linear layers, loss on the impression alone.

Our own loop, and no trainer of a library: the output head (a fifth of the work of a small model
with a large vocabulary) runs at the impression's positions only, the run is deterministic, and
nothing that takes a minute to import is imported.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from model.training.rows import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch

    from model.training.recipe import Recipe
    from model.training.rows import TrainingRow

GRADIENT_NORM_MAX = 1.0
LINEAR_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
"""Every linear layer of a Llama block."""


def load_for_training(base: Path, recipe: Recipe) -> tuple[Any, Any]:
    """Load base and tokenizer and put an untrained adapter on.

    Args:
        base: Folder with weights and tokenizer.
        recipe: Gives seed, rank and threads.

    Returns:
        The PEFT model, base frozen, and its tokenizer.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, recipe.dtype))
    depth = model.config.num_hidden_layers
    first = 0 if recipe.upper_layers is None else max(0, depth - recipe.upper_layers)
    lora = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=0.0,
        target_modules=LINEAR_LAYERS,
        layers_to_transform=list(range(first, depth)),
        layers_pattern="layers",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, lora), tokenizer


def run_steps(
    model: Any,
    rows: Sequence[TrainingRow],
    dev_rows: Sequence[TrainingRow],
    recipe: Recipe,
    report: Callable[[int, float, float | None], None],
) -> dict[int, float]:
    """Train for the recipe's steps.

    Args:
        model: From ``load_for_training``; changed in place.
        rows: What is learned.
        dev_rows: What the dev loss is taken on; early information, nothing is chosen by it.
        recipe: The run's numbers.
        report: Called after each step with step, loss and, when it was taken, dev loss.

    Returns:
        Step and dev loss.
    """
    import torch

    trained = [weights for weights in model.parameters() if weights.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=recipe.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, recipe))
    stream = batches(rows, tokens_max=recipe.tokens_per_batch, seed=recipe.seed)
    dev_losses: dict[int, float] = {}
    model.train()
    for step in range(1, recipe.steps + 1):
        loss = impression_loss(model, next(stream))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, GRADIENT_NORM_MAX)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if step % recipe.dev_every == 0 or step == recipe.steps:
            dev_losses[step] = dev_loss(model, dev_rows, recipe)
        report(step, loss.item(), dev_losses.get(step))
    return dev_losses


def impression_loss(model: Any, batch: Sequence[TrainingRow]) -> torch.Tensor:
    """Mean cross-entropy over the impressions' tokens of a batch (nats a token)."""
    import torch

    width = max(len(row.token_ids) for row in batch)
    ids = torch.zeros((len(batch), width), dtype=torch.long)
    attention = torch.zeros_like(ids)
    learned = torch.zeros((len(batch), width - 1), dtype=torch.bool)
    for index, row in enumerate(batch):
        length = len(row.token_ids)
        ids[index, :length] = torch.tensor(row.token_ids)
        attention[index, :length] = 1
        # Position n predicts token n+1: the prompt's last token predicts the first learned one.
        learned[index, row.prompt_tokens - 1 : length - 1] = True
    language_model = model.get_base_model()
    hidden = language_model.model(input_ids=ids, attention_mask=attention, use_cache=False)[0]
    logits = language_model.lm_head(hidden[:, :-1][learned])
    return torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:][learned])


def dev_loss(model: Any, rows: Sequence[TrainingRow], recipe: Recipe) -> float:
    """Mean loss over the dev rows, nothing learned."""
    import torch

    model.eval()
    with torch.no_grad():
        losses = [impression_loss(model, [row]).item() for row in rows[: recipe.dev_rows]]
    model.train()
    return math.fsum(losses) / max(1, len(losses))


def _rate(step: int, recipe: Recipe) -> float:
    """Share of the learning rate at a step: up in a straight line, then down to zero."""
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    return (recipe.steps - step) / max(1, recipe.steps - recipe.warmup_steps)
