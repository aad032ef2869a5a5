"""The YAML that switches rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model.cleaning.settings import RULES, CleaningSettings, load_settings_file, meaning_of
from model.errors import CorpusUnreadableError

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_file_every_rule_is_on() -> None:
    settings = load_settings_file(None)

    assert all(settings.switch(rule).enabled for rule in RULES)


def test_a_file_switches_rules_and_changes_limits(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("addendum: {enabled: false}\nnear_duplicate: {threshold: 0.8}\n")

    settings = load_settings_file(path)

    assert not settings.addendum.enabled
    assert settings.near_duplicate.threshold == 0.8
    assert settings.duplicate.enabled


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("# all on\n")

    assert load_settings_file(path) == CleaningSettings()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("adendum: {enabled: false}", "adendum"),
        ("near_duplicate: {threshold: 1.5}", "near_duplicate.threshold"),
        ("near_duplicate: {threshold: .nan}", "near_duplicate.threshold"),
        ("a: [", None),
    ],
)
def test_a_wrong_file_is_refused_with_its_field(
    tmp_path: Path, text: str, where: str | None
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)

    with pytest.raises(CorpusUnreadableError) as caught:
        load_settings_file(path)

    assert caught.value.where == (where or str(path))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusUnreadableError, match="cannot_read_file"):
        load_settings_file(tmp_path / "none.yaml")


def test_each_rule_says_what_it_takes_out() -> None:
    meanings = [meaning_of(rule) for rule in RULES]

    assert all(meaning.endswith(".") for meaning in meanings)
    assert len(set(meanings)) == len(RULES)
