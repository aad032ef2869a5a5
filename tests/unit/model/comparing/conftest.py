"""One ablation and one comparison of runs, made once for all tests that read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from model.comparing.ablation import Ablation
    from model.comparing.cells import Cell
    from model.comparing.running import Asked, Compared
    from tests.unit.model.comparing.comparing_samples import KnowingWriter

RESAMPLES = 40  # of the bootstrap: intervals are tested where they are made
OUTPUT_TOKENS = 6


@pytest.fixture(scope="session")
def writer() -> KnowingWriter:
    """The writer that ``ablation`` asked."""
    from tests.unit.model.comparing.comparing_samples import KnowingWriter

    return KnowingWriter()


@pytest.fixture(scope="session")
def ablation(writer: KnowingWriter) -> Ablation:
    from model.comparing.ablation import run_ablation
    from model.evaluation import intervals
    from model.prompt import PromptPlan
    from tests.unit.model.comparing.comparing_samples import ABROAD, REPORTS, set_of

    sets = [set_of("here", REPORTS), set_of("abroad", ABROAD)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "RESAMPLES", RESAMPLES)
        return run_ablation(sets, writer, PromptPlan(indication=False))


@dataclass(frozen=True, slots=True)
class Ran:
    """A comparison, with what it was asked for and what it told on its way."""

    cells: list[Cell]
    asked: Asked
    compared: Compared
    began: list[tuple[str, int]]


@pytest.fixture(scope="session")
def ran(small_corpus: Path, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Two strategies and nothing on a tiny base, two steps each; a base that is missing, too."""
    import torch

    from model import prompt
    from model.comparing.cells import default_recipes, plan_cells
    from model.comparing.running import Asked, Watch, compare_cells
    from model.evaluation import intervals
    from model.evaluation.by_reference import Source
    from model.evaluation.reports import read_reports

    recipes = default_recipes(["lora", "prompt"], steps=2, threads=1)
    cells = plan_cells(recipes, [str(tiny_base), str(tiny_base.with_name("gone"))])
    reports = tuple(read_reports(small_corpus / "dev.jsonl"))
    asked = Asked(small_corpus, reports, tmp_path_factory.mktemp("compared"))
    began: list[tuple[str, int]] = []
    threads = torch.get_num_threads()
    watch = Watch(began=lambda what, total: began.append((what, total)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "RESAMPLES", RESAMPLES)
        patch.setattr(prompt, "OUTPUT_TOKENS_MAX", OUTPUT_TOKENS)
        compared = compare_cells(cells, asked, Source("dev.jsonl", "ab" * 32), watch)
    torch.use_deterministic_algorithms(mode=False)
    torch.set_num_threads(threads)
    return Ran(cells, asked, compared, began)
