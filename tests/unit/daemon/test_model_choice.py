"""From settings to the engine that is loaded and the prompt that is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon import model_choice
from daemon.config import load_settings
from daemon.model_choice import PromptMaker, choose_engine
from mappings.domain import Exam, Findings
from model.errors import EngineUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

FINDINGS = Findings("The lungs are clear.", None, Exam(), "default", "en")


def test_the_extractive_engine_needs_no_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_choice, "_LIBRARIES", ("no_such_library",))
    settings = load_settings(
        overrides={"model": {"engine": "extractive", "extractive_delay_s": 2}}, environment={}
    )

    engine = choose_engine(settings)

    assert (engine.engine, engine.delay_s, engine.is_demo) == ("extractive", 2, True)


def test_missing_libraries_are_told_before_the_first_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_choice, "_LIBRARIES", ("no_such_library",))

    with pytest.raises(EngineUnavailableError) as caught:
        choose_engine(load_settings(environment={}))

    assert caught.value.where == "model.engine"
    assert "no_such_library" in caught.value.reason


@pytest.mark.parametrize("field", ["base", "adapters"])
def test_a_folder_that_is_not_there_is_told_by_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    monkeypatch.setattr(model_choice, "_LIBRARIES", ())
    nowhere = tmp_path / "nowhere"
    value = {"ct": nowhere} if field == "adapters" else nowhere

    with pytest.raises(EngineUnavailableError) as caught:
        choose_engine(load_settings(overrides={"model": {field: value}}, environment={}))

    assert caught.value.where is not None
    assert caught.value.where.startswith(f"model.{field}")


def test_without_settings_the_demo_base_and_adapter_are_loaded_and_labelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_choice, "_LIBRARIES", ())

    engine = choose_engine(load_settings(environment={}))

    assert engine.base is None
    assert list(engine.adapters) == ["demo"]
    assert engine.is_demo


@pytest.mark.parametrize(
    ("adapters", "default", "expected"),
    [
        (["ct"], None, "ct"),
        (["ct", "mr"], "mr", "mr"),
        ([], None, None),
    ],
)
def test_the_adapter_is_the_named_one_else_the_only_one(
    tmp_path: Path, adapters: list[str], default: str | None, expected: str | None
) -> None:
    model = {
        "base": tmp_path,
        "adapters": dict.fromkeys(adapters, tmp_path),
        "default_adapter": default,
    }
    settings = load_settings(overrides={"model": model}, environment={})

    assert PromptMaker(settings)(FINDINGS).adapter == expected
