"""What a cell cost and wrote, and the files that keep it.

Training and drafting are kept apart: other reports, or a run that was cut off while it drafted, ask
for no training anew. Drafts are report text: the files are their owner's alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter

from model.corpora.schema import open_private
from model.costs import Cost  # noqa: TC001 - read when a file is

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Training:
    """What training made.

    Attributes:
        parameters: Numbers that were trained.
        cost: Seconds of the steps and the looks at the dev rows (since it was taken up again, for
            a run that was cut off), and the peak with loading.
        dev_loss: Of what was kept, nats a token.
    """

    parameters: int
    cost: Cost
    dev_loss: float


@dataclass(frozen=True, slots=True)
class Drafting:
    """What was written.

    Attributes:
        cost: Of all reports in batches, loading included.
        alone_s: Median wall seconds of a report drafted by itself.
        drafts: In the order of the reports; None where the base cannot take one.
    """

    cost: Cost
    alone_s: float
    drafts: tuple[str | None, ...] = field(repr=False)

    @property
    def too_long(self) -> int:
        """Count the reports that the base cannot take."""
        return self.drafts.count(None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A cell that was run; ``training`` is None where the base was asked as it is."""

    base_parameters: int
    training: Training | None
    drafting: Drafting


Kept = TypeVar("Kept", Training, Drafting)


def made_once(path: Path, kind: type[Kept], make: Callable[[], Kept]) -> Kept:
    """Return what a file keeps; where there is none yet, make it, and the file."""
    if path.is_file():
        return TypeAdapter(kind).validate_json(path.read_bytes())
    made = make()
    beside = path.with_name(f"{path.name}.part")
    with open_private(beside) as file:
        json.dump(asdict(made), file, ensure_ascii=False)
    beside.replace(path)
    return made
