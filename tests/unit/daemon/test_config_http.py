"""The HTTP side's settings: what is refused, and when a client must prove who it is."""

from __future__ import annotations

import pytest

from daemon.config import load_settings
from daemon.config_http import Http
from daemon.errors import ConfigurationError

TLS = {"certificate": "c.pem", "key": "k.pem"}
TOKEN = "t" * 16


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "ris.example", "::"])
def test_beyond_loopback_tls_is_needed_or_a_word_that_it_is_not(host: str) -> None:
    with pytest.raises(ConfigurationError, match="beyond loopback tls is needed"):
        load_settings(overrides={"http": {"host": host}}, environment={})

    for more in ({"tls": TLS}, {"allow_plain": True}):
        http = load_settings(overrides={"http": {"host": host, **more}}, environment={}).http
        assert http.is_guarded
        assert not http.is_loopback


@pytest.mark.parametrize(
    ("more", "is_guarded"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "::1"}, False),
        ({"tls": TLS}, False),
        ({"tokens": {"ris": TOKEN}}, True),
        ({"tokens_file": "tokens"}, True),
    ],
)
def test_on_loopback_a_token_is_needed_when_there_is_one(
    more: dict[str, object],
    is_guarded: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert Http.model_validate(more).is_guarded is is_guarded


def test_a_token_that_can_be_guessed_is_refused_and_never_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(overrides={"http": {"tokens": {"ris": "QUETZAL"}}}, environment={})

    assert caught.value.where == "http.tokens"
    assert "QUETZAL" not in str(caught.value)
    assert TOKEN not in repr(Http.model_validate({"tokens": {"ris": TOKEN}}))


def test_subjects_of_certificates_need_an_authority_to_believe() -> None:
    with pytest.raises(ConfigurationError, match="client_subjects needs"):
        load_settings(overrides={"http": {"client_subjects": ["CN=x"], "tls": TLS}}, environment={})


def test_tokens_come_from_the_environment_as_well() -> None:
    environment = {"PRELIM_HTTP__TOKENS": f"{{ris: {TOKEN}}}"}

    http = load_settings(environment=environment).http

    assert http.tokens["ris"].get_secret_value() == TOKEN


@pytest.mark.parametrize("name", ["connections_max", "connections_per_host_max"])
def test_there_are_more_places_than_requests_at_once_so_that_one_is_always_idle(name: str) -> None:
    with pytest.raises(ConfigurationError, match="above requests_in_flight_max"):
        load_settings(overrides={"http": {name: 64}}, environment={})

    assert load_settings(overrides={"http": {name: 65}}, environment={}).http
