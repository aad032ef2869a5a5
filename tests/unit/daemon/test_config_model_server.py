"""The server that drafts: prompts leave this machine, so its settings are judged before they do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from daemon.cli import app, main
from daemon.config import load_settings
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

SERVER = {"url": "https://vllm.example", "base": "base-8b"}


def model_of(**server: Any) -> dict[str, Any]:  # noqa: ANN401 - a setting's values
    return {"engine": "openai", "server": {**SERVER, **server}}


@pytest.mark.parametrize(
    ("model", "where"),
    [
        ({"engine": "openai"}, "model"),
        ({**model_of(), "base": "/weights"}, "model"),
        ({**model_of(), "adapters": {"ct": "/adapter"}}, "model"),
        (model_of(url="http://vllm.example"), "model.server"),
        (model_of(url="https://user:secret@vllm.example"), "model.server"),
        (model_of(url="https://vllm.example/v1"), "model.server"),
        (model_of(url="https://vllm.example/v1/"), "model.server"),
        (model_of(url="https://vllm.example/?key=secret"), "model.server"),
        (model_of(url="ftp://vllm.example"), "model.server.url"),
        (model_of(base=""), "model.server.base"),
        (model_of(timeout_s=0), "model.server.timeout_s"),
        (model_of(control_tokens=["@"]), "model.server.control_tokens.0"),
        (model_of(digests={"base-8b": "abc"}), "model.server.digests"),
        (model_of(adapters=["ct", "mr"]), "model.default_adapter"),
        ({**model_of(adapters=["ct"]), "default_adapter": "mr"}, "model.default_adapter"),
    ],
)
def test_a_server_set_wrongly_stops_the_start(model: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(overrides={"model": model}, environment={})

    assert caught.value.where == where
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "server",
    [
        {"url": "http://127.0.0.1:8000"},
        {"url": "http://[::1]:8000"},
        {"url": "http://vllm:8000", "allow_plain_http": True},
        {"url": "https://vllm.example/tenant"},
    ],
)
def test_report_text_travels_encrypted_or_within_this_machine_unless_allowed(
    server: dict[str, Any],
) -> None:
    settings = load_settings(overrides={"model": model_of(**server)}, environment={})

    assert settings.model.server is not None


@pytest.mark.parametrize("is_demo", [True, False])
def test_a_server_for_show_is_held_back_as_every_demo_engine_is(*, is_demo: bool) -> None:
    values = {
        "fhir": {"base_url": "https://fhir.example/r4"},
        "model": model_of(is_demo=is_demo),
    }

    if is_demo:
        with pytest.raises(ConfigurationError, match=r"model\.allow_demo"):
            load_settings(overrides=values, environment={})
    else:
        assert not load_settings(overrides=values, environment={}).is_demo_engine


@pytest.mark.parametrize(
    ("server", "where"),
    [({"url": "http://vllm.example"}, "model.server"), ({"key_file": "/none"}, "key_file")],
)
def test_check_config_tells_of_a_wrong_server(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    server: dict[str, Any],
    where: str,
) -> None:
    file = tmp_path / "prelim.yaml"
    file.write_text(json.dumps({"model": model_of(**server)}))

    monkeypatch.setattr("sys.argv", ["prelim", "check-config", "-c", str(file)])

    with pytest.raises(SystemExit) as caught:
        main()

    assert caught.value.code == 2
    assert where in capsys.readouterr().err


def test_check_config_prints_what_is_in_force(tmp_path: Path) -> None:
    file = tmp_path / "prelim.yaml"
    file.write_text(json.dumps({"model": model_of(adapters=["ct"])}))

    result = CliRunner().invoke(
        app, ["check-config", "-c", str(file), "--data", str(tmp_path), "--json"]
    )

    assert result.exit_code == 0
    assert json.loads(result.stdout)["model"]["server"]["adapters"] == ["ct"]
