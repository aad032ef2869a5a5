"""Who drafts is read from the options: known names, each once, and whom others are held against."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("numpy")
pytest.importorskip("rouge_score")

from daemon.cli_contenders import Asked, Contenders, read_contenders
from daemon.errors import ConfigurationError

ASKED = Asked(
    Path("data.jsonl"), None, None, None, None, None, None, None, None, is_ablated=False, redrafts=0
)


def read(*, has_train: bool = True, **told: object) -> Contenders:
    return read_contenders(replace(ASKED, **told), has_train=has_train)  # type: ignore[arg-type]


def test_without_options_the_baselines_draft_and_nearest_is_what_all_are_held_against() -> None:
    assert read().names == ["constant", "nearest", "consensus", "extractive"]
    assert read().against == "nearest"
    assert read(has_train=False).names == ["constant", "extractive"]
    assert read(has_train=False).against is None


def test_files_of_drafts_go_by_their_names() -> None:
    who = read(systems="constant, mine=a=b.jsonl", against="mine")

    assert (who.names, who.own, who.against) == (
        ["constant"],
        (("mine", Path("a=b.jsonl")),),
        "mine",
    )


def test_redrafts_make_a_contender_that_others_can_be_held_against() -> None:
    who = read(systems="constant, adapter", redrafts=4, against="redrafted")

    assert who.names == ["constant", "adapter", "redrafted"]


@pytest.mark.parametrize(
    ("told", "where"),
    [
        ({"systems": "constant,guess"}, "--systems"),
        ({"systems": "constant,constant"}, "--systems"),
        ({"systems": "constant,=x.jsonl"}, "--systems"),
        ({"systems": "mine="}, "--systems"),
        ({"systems": ","}, "--systems"),
        ({"systems": "nearest", "has_train": False}, "--systems"),
        ({"against": "nobody"}, "--against"),
        ({"redrafts": 4}, "--redrafts"),
        ({"redrafts": 4, "systems": "adapter, redrafted=x"}, "--systems: redrafted"),
        ({"is_ablated": True}, "--ablate"),
        ({"recipe": Path("mine.yaml"), "has_train": False}, "--recipe"),
    ],
)
def test_what_cannot_be_compared_is_refused(told: dict[str, object], where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(**told)  # type: ignore[arg-type]

    assert caught.value.where == where


def test_an_unknown_system_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    recipe = tmp_path / "house.yaml"
    recipe.write_text("name: house\nchecks: true\n")

    with pytest.raises(ConfigurationError) as caught:
        read(systems="constant", recipe=recipe, is_ablated=True, against="nobody")

    known = "constant, house, house-no-checks"
    assert caught.value.reason == f"no_such_system (there are {known})"
    assert read(systems="constant", recipe=recipe, against="house").against == "house"


def test_a_recipe_takes_no_name_that_is_anothers(tmp_path: Path) -> None:
    recipe = tmp_path / "house.yaml"
    recipe.write_text("name: house\nchecks: true\n")

    assert read(systems="house-no-checks=x", recipe=recipe).recipe is not None
    with pytest.raises(ConfigurationError, match="a_contender_has_this_name"):
        read(systems="house-no-checks=x", recipe=recipe, is_ablated=True)
