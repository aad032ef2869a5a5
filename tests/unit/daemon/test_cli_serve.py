"""check-config prints what is in force; serve and demo as processes are tested in tests/process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_effective_settings_are_printed_defaults_filled_in(tmp_path: Path) -> None:
    file = tmp_path / "prelim.yaml"
    file.write_text("model: {engine: extractive}\nmllp: {port: 7000}\n")

    result = CliRunner().invoke(
        app, ["check-config", "--config", str(file), "--data", str(tmp_path), "--json"]
    )

    values = json.loads(result.stdout)
    assert result.exit_code == 0
    assert values["mllp"]["listeners"]["default"]["port"] == 7000
    assert values["fhir"]["write"] == "put"
    assert values["journal"]["url"] == f"sqlite:///{tmp_path}/journal.sqlite"


def test_it_prints_yaml_that_can_be_used_as_a_file(tmp_path: Path) -> None:
    arguments = ["check-config", "--data", str(tmp_path)]
    first_file, second_file = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first_file.write_text("model: {engine: extractive}\n")

    second_file.write_text(CliRunner().invoke(app, [*arguments, "-c", str(first_file)]).stdout)
    again = CliRunner().invoke(app, [*arguments, "-c", str(second_file)])

    assert again.exit_code == 0
    assert again.stdout == second_file.read_text()


def test_a_wrong_file_is_refused_with_its_field(tmp_path: Path) -> None:
    file = tmp_path / "prelim.yaml"
    file.write_text("model: {engin: extractive}\n")

    result = CliRunner().invoke(app, ["check-config", "--config", str(file)])

    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.where == "model.engin"


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_an_unknown_engine_is_refused_by_its_setting(command: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [command, "--engine", "magic", "--data", str(tmp_path)])

    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.where == "model.engine"


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        (
            "mllp: {listeners: {ct: {tls: {certificate: /no.crt, key: /no.key}}}}",
            "mllp.listeners.ct.tls.certificate",
        ),
        (
            "fhir: {auth: {kind: private-key-jwt, client_id: p, keys: [{file: /no.pem}]}}",
            "fhir.auth.keys.0.file",
        ),
        ("http: {tls: {certificate: /no.crt, key: /no.key}}", "http.tls.certificate"),
        ("http: {tokens_file: /no.txt}", "http.tokens_file"),
        ("drafts: {notify: {ca: /no.pem}}", "drafts.notify.ca"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_before_the_start(
    settings: str, where: str, tmp_path: Path
) -> None:
    file = tmp_path / "prelim.yaml"
    file.write_text(f"model: {{engine: extractive}}\n{settings}\n")

    result = CliRunner().invoke(app, ["check-config", "-c", str(file), "--data", str(tmp_path)])

    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.where == where


def test_a_receiver_that_a_site_names_and_no_setting_has_is_told_before_the_start(
    tmp_path: Path,
) -> None:
    (tmp_path / "sites/default").mkdir(parents=True)
    (tmp_path / "sites/default/site.yaml").write_text("output: {oru_target: ris}\n")
    file = tmp_path / "prelim.yaml"
    file.write_text(f"model: {{engine: extractive}}\nsites: {tmp_path / 'sites'}\n")

    result = CliRunner().invoke(app, ["check-config", "-c", str(file), "--data", str(tmp_path)])

    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.where == "default: oru_target"


def test_a_site_that_asks_for_validation_without_hl7apy_is_told_before_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.validating.find_spec", lambda _name: None)
    (tmp_path / "sites/default").mkdir(parents=True)
    (tmp_path / "sites/default/site.yaml").write_text("validation: structure\n")
    file = tmp_path / "prelim.yaml"
    file.write_text(f"model: {{engine: extractive}}\nsites: {tmp_path / 'sites'}\n")

    result = CliRunner().invoke(app, ["check-config", "-c", str(file), "--data", str(tmp_path)])

    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.where == "sites"
