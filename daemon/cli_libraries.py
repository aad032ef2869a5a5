"""The libraries that commands of the model side need, by the extra that installs them."""

from __future__ import annotations

import importlib.util

from model.errors import EngineUnavailableError

MODEL_LIBRARIES = ("torch", "transformers", "peft", "safetensors")
METRIC_LIBRARIES = ("nltk", "numpy", "rouge_score", "sacrebleu", "scipy")


def require_libraries(extra: str, *names: str, asked_by: str | None = None) -> None:
    """Refuse to begin what would fail halfway.

    Args:
        extra: Of prelim; it installs them.
        names: As they are imported.
        asked_by: The option that needs them, where the command can do without it.

    Raises:
        EngineUnavailableError: One is not installed.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        told = f"{', '.join(missing)} not installed: install prelim[{extra}]"
        raise EngineUnavailableError(told, asked_by)
