"""Similarity by a local encoder agrees with BERTScore; without weights it says so."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from model.evaluation.similarity import MISSING, PACKAGE, EncoderMetric, find_encoder

VECTORS = Path(__file__).parents[3] / "vectors" / "evaluation" / "metrics.json"
STORED = json.loads(VECTORS.read_text(encoding="utf-8"))
WORDS = ["no", "acute", "effusion", "left", "normal", "chest", "."]


def make_encoder(folder: Path) -> Path:
    """Write a tiny encoder with random weights, the same each time."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    tokeniser = transformers.BertTokenizer.from_pretrained(folder)
    tokeniser.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        shape = transformers.BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
        )
        transformers.BertModel(shape).save_pretrained(folder)
    return folder


@pytest.mark.model
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_any_encoder_calls_the_same_text_the_same_whatever_is_beside_it(tmp_path: Path) -> None:
    metric = EncoderMetric(make_encoder(tmp_path / "encoder"))
    same, other = "no acute effusion.", "left effusion."

    scores = metric.score([same, same, "normal chest"], [same, other, ""])
    alone = EncoderMetric(tmp_path / "encoder").score([same], [other])

    assert scores["sentence_similarity"][0] == pytest.approx(1.0, abs=1e-5)
    assert scores["token_similarity"][0] == pytest.approx(1.0, abs=1e-5)
    assert scores["token_similarity"][1] < 0.9999
    assert scores["token_similarity"][2] == 0.0
    assert alone["token_similarity"][0] == pytest.approx(scores["token_similarity"][1], abs=1e-5)
    assert scores.keys() == metric.meaning.keys()


@pytest.mark.model
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["token_similarity", "sentence_similarity"])
def test_similarities_are_those_of_bert_score_and_of_mean_vectors(name: str) -> None:
    if importlib.util.find_spec(PACKAGE) is None:
        pytest.skip(f"{PACKAGE} is not installed")
    folder = find_encoder(None)
    assert isinstance(folder, Path)
    pairs = STORED["pairs"]

    scores = EncoderMetric(folder).score(
        [pair["reference"] for pair in pairs], [pair["draft"] for pair in pairs]
    )

    assert scores[name] == pytest.approx(STORED["encoder"][name], abs=1e-6)


def test_without_weights_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    assert find_encoder(None) == MISSING
    assert find_encoder(tmp_path) == MISSING
    (tmp_path / "config.json").touch()
    assert find_encoder(tmp_path) == f"{MISSING} (torch, transformers not installed)"
