"""What a run may train: eight ways to fit a base model to a house's reports.

Settings only, read from a recipe; torch is not needed for them. ``is_base`` says that the result is
a whole base model of its own (served as ``model.base``); the others write a small adapter beside
the base, of which the daemon serves LoRA and QLoRA alone: nothing else runs beside others in one
batch.

Sources: LoRA (Hu 2021), QLoRA (Dettmers 2023), IA3 (Liu 2022), prompt tuning (Lester 2021),
P-tuning (Liu 2021), prefix tuning (Li and Liang 2021).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

VirtualTokens = Annotated[int, Field(ge=1, le=512)]


class _Strategy(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    is_base: ClassVar[bool] = False


class _LowRank(_Strategy):
    """Low-rank matrices beside linear layers.

    Attributes:
        rank: LoRA r.
        alpha: LoRA alpha; a matrix counts alpha / rank.
        dropout: Share of inputs to the matrices that is left out while training.
        modules: Names of the linear layers; empty for all but the output head.
        upper_layers: Adapt only so many of the uppermost layers, None for all: the backward pass
            ends where the adapted layers begin.
    """

    rank: int = Field(16, ge=1, le=256)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    modules: tuple[str, ...] = ()
    upper_layers: int | None = Field(None, ge=1)


class LoraStrategy(_LowRank):
    """LoRA over the base as it is."""

    kind: Literal["lora"] = "lora"


class QloraStrategy(_LowRank):
    """LoRA over a base kept in 4 bits (nf4, its constants quantised, too) while training."""

    kind: Literal["qlora"] = "qlora"


class Ia3Strategy(_Strategy):
    """A learned factor for each key, value and inner feed-forward unit."""

    kind: Literal["ia3"] = "ia3"
    modules: tuple[str, ...] = ("k_proj", "v_proj", "down_proj")
    feedforward_modules: tuple[str, ...] = ("down_proj",)


class PromptStrategy(_Strategy):
    """Prompt tuning: learned vectors before each report.

    Attributes:
        virtual_tokens: How many.
        first_words: What they begin as, repeated to fill; empty draws them at random.
    """

    kind: Literal["prompt"] = "prompt"
    virtual_tokens: VirtualTokens = 20
    first_words: str = "Write the impression of this radiology report."


class PTuningStrategy(_Strategy):
    """P-tuning: as prompt tuning, the vectors made by a small network that is left behind."""

    kind: Literal["p_tuning"] = "p_tuning"
    virtual_tokens: VirtualTokens = 20
    encoder: Literal["mlp", "lstm"] = "mlp"
    hidden_size: int = Field(128, ge=1)


class PrefixStrategy(_Strategy):
    """Prefix tuning: learned keys and values before each report, in every layer.

    Attributes:
        virtual_tokens: How many.
        hidden_size: Of a network that makes them and is left behind; None learns them directly.
    """

    kind: Literal["prefix"] = "prefix"
    virtual_tokens: VirtualTokens = 20
    hidden_size: int | None = Field(None, ge=1)


class FreezeStrategy(_Strategy):
    """All weights of the uppermost layers; the rest is frozen."""

    is_base: ClassVar[bool] = True
    kind: Literal["freeze"] = "freeze"
    upper_layers: int = Field(2, ge=1)


class FullStrategy(_Strategy):
    """All weights."""

    is_base: ClassVar[bool] = True
    kind: Literal["full"] = "full"


Strategy = Annotated[
    LoraStrategy
    | QloraStrategy
    | Ia3Strategy
    | PromptStrategy
    | PTuningStrategy
    | PrefixStrategy
    | FreezeStrategy
    | FullStrategy,
    Field(discriminator="kind"),
]
