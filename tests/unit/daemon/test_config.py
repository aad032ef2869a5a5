"""Settings: where values come from, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.config import load_settings
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def test_defaults_bind_to_loopback_and_post_to_the_embedded_store() -> None:
    settings = load_settings(environment={})

    assert settings.mllp.listeners["default"].host == "127.0.0.1"
    assert settings.mllp.listeners["default"].port == 2575
    assert settings.http.host == "127.0.0.1"
    assert settings.is_embedded_store
    assert settings.fhir_write == "put"


def test_a_real_server_starts_in_shadow() -> None:
    overrides = {"fhir": {"base_url": "https://fhir.example/r4"}, "model": {"allow_demo": True}}

    settings = load_settings(overrides=overrides, environment={})

    assert settings.fhir_write == "off"


def test_command_line_wins_over_environment_and_environment_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "prelim.yaml"
    file.write_text("http: {port: 1}\nfhir: {timeout_s: 1, retry: {wait_min_s: 9}}\n")
    environment = {"PRELIM_HTTP__PORT": "2", "PRELIM_FHIR__TIMEOUT_S": "2"}

    settings = load_settings(file, {"http": {"port": 3}}, environment)

    assert (settings.http.port, settings.fhir.timeout_s, settings.fhir.retry.wait_min_s) == (
        3,
        2,
        9,
    )


def test_short_names_speak_of_the_default_listener() -> None:
    environment = {"PRELIM_MLLP__HOST": "0.0.0.0", "PRELIM_MLLP__PORT": "1"}

    listener = load_settings(environment=environment).mllp.listeners["default"]

    assert (listener.host, listener.port) == ("0.0.0.0", 1)


def test_a_listener_can_be_made_by_variables_alone() -> None:
    environment = {"PRELIM_MLLP__LISTENERS__CT__PORT": "7"}

    assert load_settings(environment=environment).mllp.listeners["ct"].port == 7


def test_a_part_that_may_be_missing_can_be_set_by_variables() -> None:
    names = {"CERTIFICATE": "door.crt", "KEY": "door.key"}
    environment = {
        f"PRELIM_MLLP__LISTENERS__DEFAULT__TLS__{name}": value for name, value in names.items()
    }

    tls = load_settings(environment=environment).mllp.listeners["default"].tls

    assert tls is not None
    assert (str(tls.certificate), str(tls.key)) == ("door.crt", "door.key")
    with pytest.raises(ConfigurationError):
        load_settings(environment={"PRELIM_MLLP__LISTENERS__DEFAULT__TLS__CERTIFICAT": "x"})


def test_lists_in_variables_are_yaml() -> None:
    environment = {"PRELIM_MLLP__LISTENERS__DEFAULT__PROCESSING_IDS": "[P]"}

    settings = load_settings(environment=environment)

    assert settings.mllp.listeners["default"].processing_ids == ("P",)


@pytest.mark.parametrize(
    "name", ["PRELIM_FHIR__WRIT", "PRELIM_FIHR__WRITE", "PRELIM_MODEL__BATCH__SIZE"]
)
def test_a_misspelt_variable_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment={name: "1"})

    assert caught.value.where == name


def test_variables_that_a_container_platform_injects_are_left_alone() -> None:
    environment = {"PRELIM_PORT": "tcp://10.0.0.1:2575", "PRELIM_SERVICE_HOST": "10.0.0.1"}

    assert load_settings(environment=environment) == load_settings(environment={})


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"fhir": {"timeout_s": float("nan")}}, "fhir.timeout_s"),
        ({"fhir": {"timeout_s": float("inf")}}, "fhir.timeout_s"),
        ({"fhir": {"timeout_s": -1}}, "fhir.timeout_s"),
        ({"fhir": {"retri": {}}}, "fhir.retri"),
        ({"http": {"host": "0.0.0.0"}}, "http"),
        ({"http": {"host": ""}}, "http.host"),
        ({"model": {"batch": {"size_max": 0}}}, "model.batch.size_max"),
        ({"model": {"redrafts": 17}}, "model.redrafts"),
        ({"mllp": {"listeners": {"a": {"port": 70000}}}}, "mllp.listeners.a.port"),
        ({"mllp": {"listeners": {}}}, "mllp.listeners"),
        (
            {"mllp": {"listeners": {"a": {"allow_hosts": ["10.0.0.5/8"]}}}},
            "mllp.listeners.a.allow_hosts",
        ),
        (
            {"mllp": {"listeners": {"a": {"tls": {"key": "k"}}}}},
            "mllp.listeners.a.tls.certificate",
        ),
        ({"mllp": {"listeners": {"a": {"release": 3}}}}, "mllp.listeners.a.release"),
        ({"journal": {"url": "mysql://x"}}, "journal.url"),
        ({"model": {"default_adapter": "ct"}}, "model.default_adapter"),
        ({"model": {"adapters": {"ct": "/a", "mr": "/b"}}}, "model.default_adapter"),
        ({"fhir": {"ai_security_code": "aiast"}}, "fhir.ai_security_code"),
        ({"fhir": {"identifier_system": "report-key"}}, "fhir.identifier_system"),
        ({"fhir": {"identifier_system": "urn:my keys"}}, "fhir.identifier_system"),
        ({"fhir": {"identifier_system": "urn:a|b"}}, "fhir.identifier_system"),
        ({"fhir": {"identifier_systems": {"RIS": "1.2.9"}}}, "fhir.identifier_systems.RIS"),
        ({"kafka": {"bootstrap": ["127.0.0.1:99999"]}}, "kafka.bootstrap.0"),
        ({"fhir": {"base_url": "http://fhir.example/r4"}}, "fhir.base_url"),
        ({"fhir": {"base_url": "https://me:secret@fhir.example/r4"}}, "fhir.base_url"),
        ({"fhir": {"base_url": "https://fhir.example/r4?tenant=1"}}, "fhir.base_url"),
        ({"fhir": {"base_url": "https://fhir.example/r4#top"}}, "fhir.base_url"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(values: dict[str, object], where: str) -> None:
    if "base_url" in str(values):
        values = {**values, "model": {"allow_demo": True}}

    with pytest.raises(ConfigurationError) as caught:
        load_settings(overrides=values, environment={})

    assert caught.value.where == where


@pytest.mark.parametrize("model", [{"engine": "extractive"}, {"engine": "transformers"}])
def test_a_demo_engine_may_not_write_to_a_real_server(model: dict[str, object]) -> None:
    values = {"fhir": {"base_url": "https://fhir.example/r4"}, "model": model}

    with pytest.raises(ConfigurationError) as caught:
        load_settings(overrides=values, environment={})

    assert caught.value.where == "model.allow_demo"


@pytest.mark.parametrize("content", ["- a\n", "a: [\n", "\xff\xfe"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "prelim.yaml"
    file.write_text(content, encoding="latin-1")

    with pytest.raises(ConfigurationError) as caught:
        load_settings(file, environment={})

    assert caught.value.where == str(file)


@pytest.mark.parametrize("listeners", ["5", "{default: 7}", "[1]"])
def test_listeners_that_are_no_mapping_are_refused_with_their_path(
    tmp_path: Path, listeners: str
) -> None:
    file = tmp_path / "prelim.yaml"
    file.write_text(f"mllp: {{port: 1, listeners: {listeners}}}")

    with pytest.raises(ConfigurationError, match=r"mllp\.listeners"):
        load_settings(file, environment={})


def test_a_variable_that_is_no_yaml_is_refused_by_its_name() -> None:
    name = "PRELIM_MLLP__LISTENERS__DEFAULT__PROCESSING_IDS"

    with pytest.raises(ConfigurationError, match=name):
        load_settings(environment={name: "[P"})
