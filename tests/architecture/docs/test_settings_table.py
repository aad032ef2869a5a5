"""The settings table names every leaf of the settings once."""

from __future__ import annotations

from tests.architecture.settings_table import describe_settings, render_markdown


def test_every_setting_has_a_type_and_a_purpose() -> None:
    rows = list(describe_settings())

    assert len({row.path for row in rows}) == len(rows) > 30
    assert all(row.kind and row.description for row in rows)


def test_named_entries_and_nested_areas_are_leaves_of_the_table() -> None:
    paths = {row.path for row in describe_settings()}

    assert {"mllp.listeners.NAME.port", "fhir.retry.wait_max_s", "data"} <= paths


def test_the_default_is_written_as_yaml_has_it() -> None:
    table = render_markdown()

    assert "| `model.allow_demo` | true/false | false |" in table
    assert "| `fhir.base_url` | URL | null |" in table
