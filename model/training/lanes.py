"""How rows lie before the model, padded or packed, and the loss on their impressions.

A lane is what the model sees as one sequence. Packed, it holds several reports end to end: each has
positions of its own and sees itself alone, so that no report learns from its neighbour. Virtual
tokens (prompt tuning, P-tuning) stand before every report of a lane, a prefix (prefix tuning)
before the lane, seen by all. The output head runs where an impression is learned and nowhere else:
it is a fifth of the work of a small model with a large vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftModel, PeftType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.training.rows import TrainingRow

NOT_LEARNED = -100


@dataclass(frozen=True, slots=True)
class Lanes:
    """Tensors of lanes times width.

    Attributes:
        ids: Token ids; 0 where a virtual token or padding stands.
        positions: Counted anew in each report.
        reports: Number of the report in its lane, from 1; 0 for padding.
        is_virtual: Where virtual tokens stand.
        targets: The token to be learned there, or ``NOT_LEARNED``.
        is_packed: A lane may hold more than one report.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    reports: torch.Tensor
    is_virtual: torch.Tensor
    targets: torch.Tensor
    is_packed: bool


def lay_out(
    rows: Sequence[TrainingRow], *, is_packed: bool, virtual_tokens: int, device: torch.device
) -> Lanes:
    """Lay rows out: one lane for all of them, or one for each.

    Args:
        rows: At least one.
        is_packed: Put them all into one lane.
        virtual_tokens: Before each report.
        device: Where the tensors shall be.
    """
    lanes = [list(rows)] if is_packed else [[row] for row in rows]
    width = max(sum(virtual_tokens + len(row.token_ids) for row in lane) for lane in lanes)
    ids, positions, reports = (torch.zeros((len(lanes), width), dtype=torch.long) for _ in range(3))
    is_virtual = torch.zeros((len(lanes), width), dtype=torch.bool)
    targets = torch.full_like(ids, NOT_LEARNED)
    for lane, members in enumerate(lanes):
        start = 0
        for number, row in enumerate(members, 1):
            text = start + virtual_tokens
            end = text + len(row.token_ids)
            ids[lane, text:end] = torch.tensor(row.token_ids)
            positions[lane, start:end] = torch.arange(end - start)
            reports[lane, start:end] = number
            is_virtual[lane, start:text] = True
            # A position predicts the next token: the prompt's last one the first that is learned.
            learned = torch.tensor(row.token_ids[row.prompt_tokens :])
            targets[lane, text + row.prompt_tokens - 1 : end - 1] = learned
            start = end
    return Lanes(
        ids.to(device),
        positions.to(device),
        reports.to(device),
        is_virtual.to(device),
        targets.to(device),
        is_packed,
    )


def impression_loss(
    model: Any, rows: Sequence[TrainingRow], *, is_packed: bool = False
) -> torch.Tensor:
    """Mean cross-entropy over the tokens of the rows' impressions (nats a token)."""
    lanes = lay_out(
        rows,
        is_packed=is_packed,
        virtual_tokens=soft_tokens(model),
        device=next(model.parameters()).device,
    )
    hidden = hidden_states(model, lanes)
    is_learned = lanes.targets != NOT_LEARNED
    logits = language_model(model).get_output_embeddings()(hidden[is_learned])
    return torch.nn.functional.cross_entropy(logits.float(), lanes.targets[is_learned])


def language_model(model: Any) -> Any:
    """Return the base with its output head, out of what PEFT put around it."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def soft_tokens(model: Any) -> int:
    """Return how many virtual tokens stand before each report."""
    return (
        _virtual_tokens(model) if _kind(model) in (PeftType.PROMPT_TUNING, PeftType.P_TUNING) else 0
    )


def prefix_tokens(model: Any) -> int:
    """Return how many keys and values stand before each lane."""
    return _virtual_tokens(model) if _kind(model) == PeftType.PREFIX_TUNING else 0


def hidden_states(model: Any, lanes: Lanes) -> torch.Tensor:
    """Return the last layer's states: lanes times width times the model's own size."""
    backbone = language_model(model).base_model
    seen = _seen(model, lanes)
    if soft_tokens(model):
        embedded = with_virtual_tokens(model, lanes.ids, lanes.is_virtual)
        states = backbone(inputs_embeds=embedded, use_cache=False, **seen)
    elif prefix_tokens(model):
        prefix = model.get_prompt(batch_size=len(lanes.ids))
        states = backbone(input_ids=lanes.ids, past_key_values=prefix, use_cache=False, **seen)
    else:
        states = backbone(input_ids=lanes.ids, use_cache=False, **seen)
    return states[0]  # type: ignore[no-any-return]


def with_virtual_tokens(model: Any, ids: torch.Tensor, is_virtual: torch.Tensor) -> torch.Tensor:
    """Return the embeddings of ids, the learned vectors put where virtual tokens stand."""
    embedded = language_model(model).get_input_embeddings()(ids)
    vectors = model.get_prompt(batch_size=1)[0].to(embedded.dtype)
    times = int(is_virtual.sum()) // len(vectors)
    told: torch.Tensor = embedded.masked_scatter(is_virtual.unsqueeze(-1), vectors.repeat(times, 1))
    return told


def _seen(model: Any, lanes: Lanes) -> dict[str, torch.Tensor]:
    """Return who sees whom: the library's own causal mask where that is enough."""
    prefix = prefix_tokens(model)
    if not lanes.is_packed and not prefix:
        return {"attention_mask": (lanes.reports > 0).long()}
    places = torch.arange(lanes.ids.shape[1], device=lanes.ids.device)
    is_own_report = lanes.reports.unsqueeze(2) == lanes.reports.unsqueeze(1)
    allowed = is_own_report & (places.unsqueeze(1) >= places)
    before = torch.ones((*lanes.ids.shape, prefix), dtype=torch.bool, device=lanes.ids.device)
    mask = torch.cat((before, allowed), dim=2).unsqueeze(1)
    return {"attention_mask": mask, "position_ids": lanes.positions + prefix}


def _kind(model: Any) -> PeftType | None:
    return model.active_peft_config.peft_type if isinstance(model, PeftModel) else None


def _virtual_tokens(model: Any) -> int:
    return int(model.active_peft_config.num_virtual_tokens)
