"""Two invented institutions and a study of them, without a model: texts of our own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mappings.domain import Modality, Region
from model.corpora.schema import CorpusRow
from model.costs import Cost
from model.errors import PromptRefusedError
from model.training.recipe import Recipe
from model.transfer.institutions import Institution
from model.transfer.label_quality import judge_labeller
from model.transfer.pace import Pace
from model.transfer.scoring import score_institution
from model.transfer.transferring import BASELINES, MODEL, ModelCost, Row, Study, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mappings.domain import Prompt

FINDINGS = ("Left pleural effusion.", "Lungs are clear.", "Right pneumothorax.")
IMPRESSIONS = ("Left pleural effusion.", "Normal chest.", "Right pneumothorax.")
TRUTHS = (("pleural effusion",), (), ("pneumothorax",))
CHARACTERS_MAX = 1_000
RECIPE = Recipe(name="tiny", steps=1, tokens_per_batch=900, learning_rate=0.01)


def make_rows(prefix: str, count: int, region: Region = Region.CHEST) -> tuple[CorpusRow, ...]:
    """Make reports of three kinds in turn; each has findings of its own."""
    return tuple(
        CorpusRow(
            report_id=f"{prefix}{at}",
            site=prefix,
            findings=f"{FINDINGS[at % 3]} View {at}.",
            impression=IMPRESSIONS[at % 3],
            modality=Modality.DX,
            region=region,
        )
        for at in range(count)
    )


def make_institutions() -> tuple[Institution, Institution]:
    """Make one with two body systems, known truth and reports to train on, and one without."""
    north = make_rows("n", 9) + make_rows("a", 3, Region.ABDOMEN)
    return (
        Institution(
            "north",
            north,
            ("chest",) * 9 + ("abdomen",) * 3,
            0,
            make_rows("t", 6),
            make_rows("d", 2),
            {row.report_id: TRUTHS[int(row.report_id[1:]) % 3] for row in north},
        ),
        Institution("south", make_rows("s", 6), ("chest",) * 6, 2),
    )


def make_transfer(out: Path) -> Transfer:
    """Make a study in which the model is right at home and calls all normal away."""
    north, south = make_institutions()
    alone = Pace(2, 20, Cost(4.0, 8.0, None, 900.0), 1.5, 2.5)
    together = (Pace(12, 100, Cost(6.0, 10.0, None, 950.0)), Pace(6, 50, Cost(3.0, 5.0)))
    cost = ModelCost("north", 134_500_000, 4_880_000, 60.0, 110.0, alone, together)
    study = Study((north, south), ("north",), RECIPE, out)
    labeller = judge_labeller(study.institutions)
    return Transfer(study, make_scored_rows(), (cost,), labeller, {"north": 0, "south": 2})


@cache
def make_scored_rows() -> tuple[Row, ...]:
    """Score the model and its baselines, once."""
    north, south = make_institutions()
    drafts = {
        MODEL: ([row.impression for row in north.test], ["Normal chest."] * 6),
        **{name: (["Normal chest."] * 12, ["Normal chest."] * 6) for name in BASELINES},
    }
    return tuple(
        Row(
            "north",
            writer,
            {"north": score_institution(north, home), "south": score_institution(south, away)},
        )
        for writer, (home, away) in drafts.items()
    )


class CopyingWriter:
    """Gives the first sentence of the findings, if they are not too long."""

    parameters = 7

    def __init__(self) -> None:
        self.calls = 0

    def require(self, prompt: Prompt) -> None:
        if len(prompt.findings) > CHARACTERS_MAX:
            raise PromptRefusedError("prompt_too_long")

    def write(
        self, prompts: Sequence[Prompt], *, advance: Callable[[int], None] = lambda _: None
    ) -> list[list[str]]:
        self.calls += 1
        advance(len(prompts))
        return [[prompt.findings.split(".", maxsplit=1)[0] + "."] for prompt in prompts]

    def count_tokens(self, text: str) -> int:
        return len(text.split())
