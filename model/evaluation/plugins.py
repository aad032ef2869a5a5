"""Clinical metrics with weights of their own: RadGraph, CheXbert, GREEN and RadEval's BERTScore.

They are run through RadEval where it and the weights are on this machine. Where not, a reason
stands in the report and no number: a metric that was not computed is never 0. Nothing is fetched,
and code that comes with weights is not run.

Source: RadEval (Xu et al., EMNLP 2025 demonstrations), its metrics' names and cache folders.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIBRARY = "radeval"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
HUB = Path(os.environ.get("HF_HOME", CACHE / "huggingface")).expanduser() / "hub"


@dataclass(frozen=True, slots=True)
class Plugin:
    """A metric of RadEval.

    Attributes:
        name: As people call it.
        metric: As RadEval calls it.
        numbers: RadEval's key for each report, and what it is.
        weights: Patterns of files under a cache folder, one of which must be there for each.
        needs_remote_code: Whether its weights come with code of their own.
    """

    name: str
    metric: str
    numbers: tuple[tuple[str, str], ...]
    weights: tuple[tuple[Path, str], ...]
    needs_remote_code: bool = False

    @property
    def meaning(self) -> Mapping[str, str]:
        """What each of its numbers is, by name."""
        return dict(self.numbers)

    def unavailable(self) -> str | None:
        """Say why it is not computed here, or None where it can be."""
        if importlib.util.find_spec(LIBRARY) is None:
            return f"not computed: {LIBRARY} not installed"
        if self.needs_remote_code:
            return "not computed: its weights come with code of their own, which is not run"
        if not all(_has(folder, pattern) for folder, pattern in self.weights):
            return "not computed: weights missing"
        return None

    def score(self, references: Sequence[str], drafts: Sequence[str]) -> dict[str, list[float]]:
        """Return each number for each report; only where nothing is ``unavailable``."""
        os.environ["HF_HUB_OFFLINE"] = "1"
        library = importlib.import_module(LIBRARY)
        scorer = library.RadEval(metrics=[self.metric], per_sample=True, show_progress=False)
        told = scorer(refs=list(references), hyps=list(drafts))
        return {key: [float(one) for one in told[key]] for key, _ in self.numbers}


PLUGINS = (
    Plugin(
        name="RadGraph",
        metric="radgraph",
        numbers=(("radgraph_partial", "RadGraph F1, partial reward"),),
        weights=((CACHE / "radgraph", "**/radgraph-xl*"),),
    ),
    Plugin(
        name="CheXbert",
        metric="f1chexbert",
        numbers=(
            ("f1chexbert_sample_acc_5", "share of reports whose 5 CheXbert labels are all right"),
            ("f1chexbert_sample_acc_all", "share of reports whose 14 CheXbert labels are right"),
        ),
        weights=((CACHE / "chexbert", "**/chexbert.pth"), (HUB, "models--bert-base-uncased")),
    ),
    Plugin(
        name="GREEN",
        metric="green",
        numbers=(("green", "GREEN score"),),
        weights=((HUB, "models--StanfordAIMI--GREEN-radllama2-7b"),),
        needs_remote_code=True,
    ),
    Plugin(
        name="RadEval",
        metric="radeval_bertscore",
        numbers=(("radeval_bertscore", "BERTScore F of RadEval's own encoder"),),
        weights=((HUB, "models--IAMJB--RadEvalModernBERT"),),
    ),
)


def _has(folder: Path, pattern: str) -> bool:
    return next(folder.glob(pattern), None) is not None
