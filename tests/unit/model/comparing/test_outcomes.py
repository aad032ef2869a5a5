"""What a cell cost and wrote is kept in files: made once, read again, for nobody else."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from model.comparing.outcomes import Drafting, Training, made_once
from model.costs import Cost

if TYPE_CHECKING:
    from pathlib import Path

TRAINING = Training(parameters=7, cost=Cost(1.5, 2.5, peak_mb=100.0), dev_loss=0.25)
DRAFTING = Drafting(cost=Cost(1.0, 2.0), alone_s=0.5, drafts=("Größe: 5 mm.", "Normal."))


def fail() -> Drafting:
    raise AssertionError


def test_what_was_made_is_read_again_and_not_made_again(tmp_path: Path) -> None:
    made_once(tmp_path / "training.json", Training, lambda: TRAINING)
    made_once(tmp_path / "drafts.json", Drafting, lambda: DRAFTING)

    assert made_once(tmp_path / "drafts.json", Drafting, fail) == DRAFTING
    assert made_once(tmp_path / "training.json", Training, lambda: TRAINING) == TRAINING


def test_drafts_are_their_owners_alone_and_nothing_half_made_is_left(tmp_path: Path) -> None:
    made_once(tmp_path / "drafts.json", Drafting, lambda: DRAFTING)

    (file,) = tmp_path.iterdir()
    assert file.name == "drafts.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "Größe" not in repr(DRAFTING)
