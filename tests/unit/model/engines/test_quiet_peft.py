"""One message is kept back, and no other."""

from __future__ import annotations

import warnings

import pytest

from model.engines.quiet_peft import quiet_peft

DROPPED = "`is_gradient_checkpointing` is deprecated and will be removed in v6."


def test_only_the_one_message_is_kept_back_and_only_inside() -> None:
    with quiet_peft():
        warnings.warn(DROPPED, FutureWarning, stacklevel=1)

    with pytest.raises(FutureWarning, match="other"), quiet_peft():
        warnings.warn("other", FutureWarning, stacklevel=1)
    with pytest.raises(FutureWarning, match="is_gradient"):
        warnings.warn(DROPPED, FutureWarning, stacklevel=1)
