"""Keeps back the one warning that PEFT calls for when it puts an adapter on a model.

PEFT (as of 0.21) asks a model for ``is_gradient_checkpointing``, a read-only name that
transformers will drop in v6, whichever way it is called. That message alone is kept back, and only
here: every other warning is heard.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Keep the warning back of what is done inside."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning
        )
        yield
