"""What training sets for the whole process, put back."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def torch_kept() -> Iterator[None]:
    """Leave torch's threads and its choice of algorithms as they were."""
    import torch

    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(mode=False)
    torch.set_num_threads(threads)
