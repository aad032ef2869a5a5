"""A folder of weights is judged before it is loaded; pickles are not looked at."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from typing import TYPE_CHECKING

import pytest

from model.engines import weights
from model.engines.weights import (
    count_parameters,
    digest_of,
    has_bfloat16,
    is_marked_demo,
    require_plain_lora,
    require_safetensors,
    taught_plan,
)
from model.errors import EngineUnavailableError
from model.prompt import PromptPlan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WHERE = "model.base"
LORA = {"peft_type": "LORA", "r": 8}


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self._mark),)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps(LORA))
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    return folder


def refusal(folder: Path, *, is_adapter: bool = False) -> tuple[str, str | None]:
    with pytest.raises(EngineUnavailableError) as caught:
        (require_plain_lora if is_adapter else require_safetensors)(folder, WHERE)
    return caught.value.reason, caught.value.where


def test_a_folder_of_safetensors_is_taken(base: Path, adapter: Path) -> None:
    require_safetensors(base, WHERE)
    require_plain_lora(adapter, WHERE)


def test_a_folder_that_is_not_there_is_refused(base: Path) -> None:
    assert refusal(base / "other") == ("folder_missing", WHERE)
    assert refusal(base / "config.json") == ("folder_missing", WHERE)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_without_weights_or_settings_is_refused(base: Path, name: str) -> None:
    (base / name).unlink()

    assert refusal(base) == ("weights_missing", WHERE)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt", "model.pkl"])
def test_a_pickled_base_is_refused_and_never_opened(base: Path, name: str) -> None:
    mark = base.parent / "ran"
    (base / "model.safetensors").unlink()
    (base / name).write_bytes(pickle.dumps(Bomb(mark)))

    assert refusal(base) == ("weights_missing", WHERE)
    assert not mark.exists()


def test_a_pickled_adapter_is_refused_and_never_opened(adapter: Path) -> None:
    mark = adapter.parent / "ran"
    (adapter / "adapter_model.safetensors").unlink()
    (adapter / "adapter_model.bin").write_bytes(pickle.dumps(Bomb(mark)))

    assert refusal(adapter, is_adapter=True) == ("adapter_missing", WHERE)
    assert not mark.exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"peft_type": "IA3"},
        {**LORA, "use_dora": True},
        {**LORA, "modules_to_save": ["lm_head"]},
        {},
        [],
        "LORA",
    ],
    ids=str,
)
def test_an_adapter_that_cannot_run_beside_others_is_refused(
    adapter: Path, settings: object
) -> None:
    (adapter / "adapter_config.json").write_text(json.dumps(settings))

    assert refusal(adapter, is_adapter=True) == ("adapter_not_plain_lora", WHERE)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", None])
def test_an_adapter_whose_settings_cannot_be_read_is_refused(
    adapter: Path, content: bytes | None
) -> None:
    if content is None:
        (adapter / "adapter_config.json").unlink()
    else:
        (adapter / "adapter_config.json").write_bytes(content)

    assert refusal(adapter, is_adapter=True) == ("adapter_not_plain_lora", WHERE)


def test_the_digest_is_the_content_s_wherever_the_folder_lies(base: Path) -> None:
    copy = base.parent / "copy"
    shutil.copytree(base, copy)

    assert digest_of(copy) == digest_of(base)
    assert len(digest_of(base)) == 64


def _grow(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weights!")


def _swap(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weighty")


def _rename(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "other.safetensors")


def _settle(folder: Path) -> None:
    (folder / "config.json").write_text('{"rope_theta": 1}')


def _add(folder: Path) -> None:
    (folder / "more.safetensors").write_bytes(b"")


def _merge(folder: Path) -> None:
    (folder / "config.json").write_text("{}model.safetensorsweights")
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize("change", [_grow, _swap, _rename, _settle, _add, _merge])
def test_the_digest_changes_with_the_weights_and_settings(
    base: Path, change: Callable[[Path], None]
) -> None:
    before = digest_of(base)
    change(base)

    assert digest_of(base) != before


def test_the_digest_does_not_change_with_a_note_beside_the_weights(base: Path) -> None:
    before = digest_of(base)
    (base / "README.md").write_text("A note.")

    assert digest_of(base) == before


@pytest.mark.parametrize(
    ("card", "is_demo"),
    [
        ('{"is_demo": true}', True),
        ('{"is_demo": false}', False),
        ('{"is_demo": "yes"}', False),
        ("{}", False),
        ("[]", False),
        ("{", False),
        (None, False),
    ],
)
def test_a_card_may_say_that_the_weights_are_for_show(
    base: Path, card: str | None, *, is_demo: bool
) -> None:
    if card is not None:
        (base / "card.json").write_text(card)

    assert is_marked_demo(base) is is_demo


@pytest.mark.parametrize(
    ("flags", "is_there"), [("fma avx512_bf16", True), ("amx_bf16", True), ("fma avx2", False)]
)
def test_a_processor_says_whether_it_knows_bfloat16(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str, *, is_there: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(f"flags : {flags}")
    monkeypatch.setattr(weights, "Path", lambda _: tmp_path / "cpuinfo")

    assert has_bfloat16() is is_there


def test_a_system_that_does_not_tell_has_no_bfloat16(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(weights, "Path", lambda _: tmp_path / "none")

    assert has_bfloat16() is False


@pytest.mark.parametrize(
    ("card", "plan"),
    [
        (None, PromptPlan()),
        ("[]", PromptPlan()),
        ('{"recipe": {"steps": 1000}}', PromptPlan()),
        (
            '{"recipe": {"prompt": {"variant": "mixed", "exam": false}}}',
            PromptPlan(variant="mixed", exam=False),
        ),
    ],
)
def test_an_adapters_card_says_how_it_was_taught_to_be_asked(
    tmp_path: Path, card: str | None, plan: PromptPlan
) -> None:
    if card is not None:
        (tmp_path / "card.json").write_text(card)

    assert taught_plan(tmp_path, WHERE) == plan


def test_a_prompt_plan_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"recipe": {"prompt": {"tone": "kind"}}}')

    with pytest.raises(EngineUnavailableError, match="prompt_plan_unknown"):
        taught_plan(tmp_path, WHERE)


@pytest.mark.model
def test_a_bases_numbers_are_counted_by_its_files(tiny_base: Path) -> None:
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32)

    assert count_parameters(tiny_base) == sum(one.numel() for one in model.parameters())
