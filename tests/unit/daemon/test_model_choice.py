"""From settings to the engine that is loaded and the prompt that is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from daemon import model_choice
from daemon.app import App
from daemon.config import load_settings
from daemon.model_choice import PromptMaker, choose_engine, choose_redrafts
from mappings.domain import Exam, Findings, Modality
from mappings.errors import SiteMappingError
from mappings.sites import DraftingRule, Site, SiteSet
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


def test_an_engine_that_knows_no_chance_makes_no_redrafts() -> None:
    chosen = [
        load_settings(overrides={"model": {"engine": engine, "redrafts": 4}}, environment={})
        for engine in ("extractive", "transformers")
    ]

    assert [choose_redrafts(settings) for settings in chosen] == [0, 4]
    assert choose_redrafts(load_settings(environment={})) == 0


SERVER = {"url": "https://vllm.example/", "base": "base-8b", "adapters": ["ct", "mr"]}


def test_a_server_is_asked_without_libraries_by_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_choice, "_LIBRARIES", ("no_such_library",))
    model = {"engine": "openai", "server": SERVER, "default_adapter": "mr"}
    settings = load_settings(overrides={"model": model}, environment={})

    engine = choose_engine(settings)

    assert engine.server is not None
    assert (engine.server.url, engine.server.base) == ("https://vllm.example", "base-8b")
    assert (list(engine.adapters), engine.is_demo) == (["ct", "mr"], False)
    rule = DraftingRule(modalities=frozenset({Modality.CT}), adapter="ct")
    prompt_of = PromptMaker(settings, sites_with(rule))
    of_ct = prompt_of(Findings("Clear.", None, Exam(modality=Modality.CT), "anna", "en"))
    assert (of_ct.adapter, prompt_of(FINDINGS).adapter) == ("ct", "mr")


def test_a_key_of_a_server_that_cannot_be_read_is_told_before_the_start(tmp_path: Path) -> None:
    server = {**SERVER, "adapters": ["ct"], "key_file": tmp_path / "none"}
    model = {"engine": "openai", "server": server}

    with pytest.raises(EngineUnavailableError, match=r"key_unreadable at model\.server\.key_file"):
        choose_engine(load_settings(overrides={"model": model}, environment={}))


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


def sites_with(*rules: DraftingRule) -> SiteSet:
    return SiteSet((Site("anna", drafting=rules),))


def test_a_site_chooses_adapter_and_style_by_the_exam(tmp_path: Path) -> None:
    adapters = {"ct": tmp_path, "mr": tmp_path}
    model = {"base": tmp_path, "adapters": adapters, "default_adapter": "ct"}
    settings = load_settings(overrides={"model": model}, environment={})
    sites = sites_with(
        DraftingRule(modalities=frozenset({Modality.MR}), adapter="mr", style="Numbered list.")
    )
    prompt_of = PromptMaker(settings, sites)
    of_mr = prompt_of(Findings("Clear.", None, Exam(modality=Modality.MR), "anna", "en"))
    of_ct = prompt_of(Findings("Clear.", None, Exam(modality=Modality.CT), "anna", "en"))
    elsewhere = prompt_of(Findings("Clear.", None, Exam(modality=Modality.MR), "berta", "en"))

    assert (of_mr.adapter, of_ct.adapter, elsewhere.adapter) == ("mr", "ct", "ct")
    styled = [piece for piece in of_mr.pieces if "Numbered list." in piece.text]
    assert [piece.is_trusted for piece in styled] == [False]
    assert not any("Numbered" in piece.text for piece in (*of_ct.pieces, *elsewhere.pieces))


def test_each_adapter_is_asked_as_its_card_says_that_it_was_taught(tmp_path: Path) -> None:
    plans = {"ct": {"variant": "none", "indication": False}, "mr": {"variant": "mixed"}}
    for name, plan in plans.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "card.json").write_text(json.dumps({"recipe": {"prompt": plan}}))
    adapters = {name: tmp_path / name for name in plans}
    model = {"base": tmp_path, "adapters": adapters, "default_adapter": "ct"}
    settings = load_settings(overrides={"model": model}, environment={})
    mr = DraftingRule(modalities=frozenset({Modality.MR}), adapter="mr", style="Short.")
    prompt_of = PromptMaker(settings, sites_with(mr, DraftingRule(style="Short.")))

    of_mr, of_ct = (
        prompt_of(Findings("Clear.", "Cough", Exam(modality=modality), "anna", "en"))
        for modality in (Modality.MR, Modality.CT)
    )

    told = {prompt.adapter: "".join(one.text for one in prompt.pieces) for prompt in (of_mr, of_ct)}
    assert all(text in told["mr"] for text in ("MRI report", "Short.", "Cough"))
    assert not any(text in told["ct"] for text in ("CT report", "Short.", "Cough"))


def test_an_adapter_that_was_taught_a_prompt_unknown_here_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"recipe": {"prompt": {"variant": "later"}}}')
    model = {"base": tmp_path, "adapters": {"ct": tmp_path}}
    settings = load_settings(overrides={"model": model}, environment={})

    with pytest.raises(EngineUnavailableError) as caught:
        PromptMaker(settings)

    assert (caught.value.reason, caught.value.where) == ("prompt_plan_unknown", "model.adapters.ct")


def test_an_adapter_that_no_setting_has_stops_the_start(tmp_path: Path) -> None:
    model = {"base": tmp_path, "adapters": {"ct": tmp_path}}
    settings = load_settings(overrides={"model": model}, environment={})

    with pytest.raises(SiteMappingError) as caught:
        PromptMaker(settings, sites_with(DraftingRule(style="x"), DraftingRule(adapter="mr")))

    assert (caught.value.reason, caught.value.where) == (
        "no_such_adapter",
        "anna/site.yaml: drafting[2]: adapter",
    )


def test_an_engine_without_adapters_takes_the_style_only() -> None:
    settings = load_settings(overrides={"model": {"engine": "extractive"}}, environment={})
    sites = sites_with(DraftingRule(adapter="mr", style="Short."))

    prompt = PromptMaker(settings, sites)(Findings("Clear.", None, Exam(), "anna", "en"))

    assert prompt.adapter is None
    assert any("Short." in piece.text for piece in prompt.pieces)


def test_the_daemon_asks_with_the_style_of_its_sites(tmp_path: Path) -> None:
    (tmp_path / "sites" / "anna").mkdir(parents=True)
    text = "match: {listener: ct}\ndrafting: [{style: Short.}]"
    (tmp_path / "sites" / "anna" / "site.yaml").write_text(text, encoding="utf-8")
    overrides = {
        "data": tmp_path,
        "sites": tmp_path / "sites",
        "model": {"engine": "extractive"},
    }

    prompt_of = App(load_settings(overrides=overrides, environment={}))._prompt_of

    prompt = prompt_of(Findings("Clear.", None, Exam(), "anna", "en"))
    assert any("Short." in piece.text for piece in prompt.pieces)
