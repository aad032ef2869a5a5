"""Noise on logits: the right frequencies, of a row alone, the same again."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from model.chance import TEMPERATURE  # noqa: E402 - what is skipped without torch needs it
from model.engines.row_noise import RowNoise, noise_for  # noqa: E402 - as above

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]

IDS = torch.zeros((1, 1), dtype=torch.long)
LOGITS = torch.tensor([[2.0, 1.5, 1.0, 0.0, -0.5, 0.7]])
CHI_SQUARED_5_MAX = 20.5  # of 5 degrees of freedom, passed once in a thousand


def test_the_most_probable_token_after_the_noise_is_a_draw_from_the_softmax() -> None:
    draws = 4000
    noisy = RowNoise(range(draws))(IDS, LOGITS.repeat(draws, 1))
    seen = torch.bincount(noisy.argmax(dim=1), minlength=6)

    expected = draws * torch.softmax(LOGITS[0] / TEMPERATURE, dim=0)
    assert float(((seen - expected) ** 2 / expected).sum()) < CHI_SQUARED_5_MAX


def test_one_row_draws_on_and_on_from_the_softmax() -> None:
    noise, steps = RowNoise([7]), 4000
    tokens = torch.tensor([int(noise(IDS, LOGITS).argmax()) for _ in range(steps)])

    expected = steps * torch.softmax(LOGITS[0] / TEMPERATURE, dim=0)
    seen = torch.bincount(tokens, minlength=6)
    assert float(((seen - expected) ** 2 / expected).sum()) < CHI_SQUARED_5_MAX


def test_a_row_has_the_same_noise_alone_and_among_others() -> None:
    alone, among = RowNoise([5]), RowNoise([None, 5, 9])

    for _ in range(3):
        together = among(IDS, LOGITS.repeat(3, 1))
        assert torch.equal(together[0], LOGITS[0])
        assert torch.equal(together[1], alone(IDS, LOGITS)[0])
        assert not torch.equal(together[2], together[1])


def test_what_it_was_given_is_left_as_it_was() -> None:
    given = LOGITS.clone()
    RowNoise([1])(IDS, given)

    assert torch.equal(given, LOGITS)


def test_a_large_vocabulary_has_no_infinite_noise_in_many_steps() -> None:
    noise, wide = RowNoise([3]), torch.zeros((1, 150_000))

    assert all(bool(noise(IDS, wide).isfinite().all()) for _ in range(60))


def test_a_batch_without_redrafts_goes_through_nothing() -> None:
    assert list(noise_for([None, None])) == list(noise_for([])) == []
    assert len(noise_for([None, 1])) == 1
