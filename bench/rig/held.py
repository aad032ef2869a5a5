"""``prelim`` with a pipeline that never starts: what the doors and the journal do by themselves.

python held.py serve [...]        as ``prelim serve``, but what comes in stays RECEIVED
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from daemon.cli import main
from daemon.pipeline import Pipeline


def stay(_pipeline: Pipeline) -> None:
    """Start nothing."""


if __name__ == "__main__":
    Pipeline.start = stay  # type: ignore[method-assign]
    main()
