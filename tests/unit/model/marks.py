"""The marks of tests that run torch: of a whole file, ``pytestmark = WITH_TORCH``."""

from __future__ import annotations

import pytest

WITH_TORCH = [
    pytest.mark.model,
    pytest.mark.timeout(300),
    # torch calls names that Python will drop.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
TRAINING = [*WITH_TORCH, pytest.mark.usefixtures("torch_as_it_was")]
