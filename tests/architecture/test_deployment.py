"""The container files name files, settings, ports and metrics that exist, and run as no root.

No container engine is needed: what is checked is that they agree with this tree, and
docker-compose.yml with the schema of its kind.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import yaml
from typer.main import get_command

from daemon.certificates import Certificates
from daemon.cli import app as command_line
from daemon.clock import SystemClock
from daemon.config import Settings, load_settings
from daemon.door_metrics import DoorMetrics
from daemon.doors import Doors
from daemon.http_side import Tokens

if TYPE_CHECKING:
    from tests.architecture.source_tree import Tree

COMPOSE = "docker-compose.yml"
CONTAINERFILE = "deploy/Containerfile"
SCHEMA = "tests/vectors/compose/compose-spec.schema.json"
OURS = ("prelim", "prelim-gpu", "prelim-vllm")
MODEL_SERVER = "vllm"
OTHERS = ("kafka", "hapi", "postgres", "prometheus", "grafana")
WITHOUT_HEALTH_CHECK = {"hapi"}
"""Its image has nothing that could ask."""
WRITES_BESIDE_ITS_FILES = {"kafka"}
"""Its image writes its configuration where its programs are."""
METRIC = re.compile(r"\bprelim_[a-z_]+")
SERIES = re.compile(r"_(total|bucket|count|sum)$")


@pytest.fixture(scope="module")
def compose(tree: Tree) -> dict[str, Any]:
    return dict(yaml.safe_load(tree.read(COMPOSE)))


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return dict(compose["services"])


@pytest.fixture(scope="module")
def settings(tree: Tree, services: dict[str, dict[str, Any]]) -> Settings:
    """Return what prelim takes of its settings file and its environment there."""
    file = tree.root / mounts(services["prelim"])["/etc/prelim/prelim.yaml"]
    return load_settings(file, environment=services["prelim-gpu"]["environment"])


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Return what is mounted of this tree or of a volume, by where."""
    parts = [volume.split(":") for volume in service.get("volumes", [])]
    return {part[1]: part[0] for part in parts}


def published(service: dict[str, Any]) -> set[int]:
    return {int(port.split(":")[-1]) for port in service["ports"]}


def defined_metrics(tree: Tree) -> set[str]:
    """Return the names of all metrics: those that stand in the code, and the doors' own."""
    written = {
        name
        for path in tree.sources
        if path.parts[0] == "daemon"
        for name in re.findall(r'"(prelim_[a-z_]+)"', tree.read(path))
    }
    certificates = Certificates()
    doors = DoorMetrics(Doors(certificates), certificates, SystemClock())
    return written | {family.name for family in doors.collect()}


def asked_metrics(text: str) -> set[str]:
    return {SERIES.sub("", name) for name in METRIC.findall(text)}


def test_what_the_image_copies_is_there(tree: Tree) -> None:
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", tree.read(CONTAINERFILE), re.MULTILINE)
    copied = {name for line in lines for name in line.split()}

    assert copied
    assert {name for name in copied if not (tree.root / name).exists()} == set()
    assert {f"!{name}" for name in copied} <= set(tree.read(".dockerignore").splitlines())


def test_the_image_does_not_run_as_root(tree: Tree) -> None:
    users = re.findall(r"^USER (\S+)$", tree.read(CONTAINERFILE), re.MULTILINE)

    assert users[-1].split(":")[0] not in {"root", "0"}


def test_the_image_opens_the_ports_that_prelim_listens_on(tree: Tree, settings: Settings) -> None:
    exposed = re.findall(r"^EXPOSE (.+)$", tree.read(CONTAINERFILE), re.MULTILINE)

    assert set(map(int, exposed[0].split())) == listened(settings)


def test_the_image_has_the_extras_that_its_settings_need(tree: Tree) -> None:
    extras = re.search(r'ARG EXTRAS="\[([a-z,]+)\]"', tree.read(CONTAINERFILE))
    known = re.findall(r"^([a-z]+) = \[", tree.read("pyproject.toml"), re.MULTILINE)

    assert extras is not None
    assert {"model", "kafka"} <= set(extras[1].split(",")) <= set(known)


def listened(settings: Settings) -> set[int]:
    return {*(one.port for one in settings.mllp.listeners.values()), settings.http.port}


def test_compose_is_what_its_schema_demands(tree: Tree, compose: dict[str, Any]) -> None:
    schema = json.loads(tree.read(SCHEMA))
    validator = jsonschema_rs.validator_for(schema)

    assert [str(error) for error in validator.iter_errors(compose)] == []
    broken = {**compose, "services": {"prelim": {"imaje": "x"}}}
    assert not validator.is_valid(broken)


def test_compose_has_every_part_and_no_other(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == {*OURS, MODEL_SERVER, *OTHERS}
    for service in services.values():
        waits_for = service.get("depends_on", {})
        assert set(waits_for) <= set(services)
        for name, how in waits_for.items():
            is_checked = "healthcheck" in services[name]
            assert how["condition"] == ("service_healthy" if is_checked else "service_started")


def test_the_profiles_are_one_for_each_way_to_run_prelim(
    tree: Tree, services: dict[str, dict[str, Any]]
) -> None:
    profiles = {name: services[name].get("profiles") for name in services}
    chosen = re.search(r"^COMPOSE_PROFILES=(\S+)$", tree.read(".env"), re.MULTILINE)

    assert [profiles[name] for name in OURS] == [["cpu"], ["gpu"], ["vllm"]]
    assert profiles[MODEL_SERVER] == ["vllm"]
    assert [profiles[name] for name in OTHERS] == [None] * len(OTHERS)
    assert chosen is not None
    assert chosen[1] == "cpu"
    for name in ("prelim-gpu", MODEL_SERVER):
        devices = services[name]["deploy"]["resources"]["reservations"]["devices"]
        assert devices[0]["capabilities"] == ["gpu"]
    same = set(services["prelim"]) - {"profiles", "image", "depends_on"}
    for name in OURS:
        assert {key: services[name][key] for key in same} == {
            key: services["prelim"][key] for key in same
        }
        assert services["prelim"]["depends_on"].items() <= services[name]["depends_on"].items()


def test_each_service_is_pinned_and_held_down(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert re.fullmatch(r"\S+:(v?[0-9][\w.-]*|local(-gpu)?)", service["image"]), name
        assert service["user"].split(":")[0] not in {"root", "0"}, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("read_only", False) is (name not in WRITES_BESIDE_ITS_FILES), name
        assert ("healthcheck" in service) is (name not in WITHOUT_HEALTH_CHECK), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_what_is_mounted_is_there_or_is_a_volume(
    tree: Tree, compose: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    for name, service in services.items():
        for target, source in mounts(service).items():
            is_ours = source.startswith("./")
            known = (tree.root / source).exists() if is_ours else source in compose["volumes"]
            assert known, (name, source)
            read_only = f"{source}:{target}:ro" in service["volumes"]
            assert read_only is is_ours, (name, source)


def test_compose_builds_this_tree(tree: Tree, services: dict[str, dict[str, Any]]) -> None:
    build = services["prelim"]["build"]

    assert (tree.root / build["context"] / build["dockerfile"]).is_file()
    arguments = re.findall(r"^ARG ([A-Z_]+)", tree.read(CONTAINERFILE), re.MULTILINE)
    assert set(build["args"]) <= set(arguments)


def test_prelim_is_started_by_a_command_that_it_has(services: dict[str, dict[str, Any]]) -> None:
    name, option, file = services["prelim"]["command"]
    command = get_command(command_line).commands[name]  # type: ignore[attr-defined]

    assert option in {each for parameter in command.params for each in parameter.opts}
    assert file in mounts(services["prelim"])


def test_prelim_takes_its_settings_and_speaks_to_the_services(
    services: dict[str, dict[str, Any]], settings: Settings
) -> None:
    base_url = settings.fhir.base_url
    assert base_url is not None

    assert published(services["prelim"]) == listened(settings)
    assert settings.model.device == "cuda"
    assert base_url.host in services
    assert base_url.port in published(services[base_url.host])
    (broker,) = settings.kafka.bootstrap
    advertised = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"PLAINTEXT://{broker}" in advertised.split(",")
    taken = int(services["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"])
    assert taken >= settings.kafka.record_bytes_max


def test_prelim_asks_the_model_server_for_models_that_it_has(
    tree: Tree, services: dict[str, dict[str, Any]]
) -> None:
    ours, theirs = services["prelim-vllm"], services[MODEL_SERVER]
    file = tree.root / mounts(ours)["/etc/prelim/prelim.yaml"]
    model = load_settings(file, environment=ours["environment"]).model
    options = dict(each.removeprefix("--").partition("=")[::2] for each in theirs["command"])
    name, _, folder = options["lora-modules"].partition("=")
    adapter = tree.root / mounts(theirs)[folder]
    card = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))

    assert model.server is not None
    assert (model.engine, model.server.is_demo) == ("openai", True)
    assert str(model.server.url) == f"http://{MODEL_SERVER}:8000/"
    assert "enable-lora" in options
    assert (options["served-model-name"], (name,)) == (model.server.base, model.server.adapters)
    assert options["served-model-name"] == card["base_model_name_or_path"]
    assert int(options["max-lora-rank"]) >= card["r"]
    assert theirs["image"].startswith("vllm/vllm-openai:")
    assert "ports" not in theirs


def test_prelim_keeps_what_it_writes(tree: Tree, services: dict[str, dict[str, Any]]) -> None:
    data = re.search(r"PRELIM_DATA=(\S+)", tree.read(CONTAINERFILE))

    assert data is not None
    assert mounts(services["prelim"])[data[1]] == "prelim-data"


def test_prelim_lets_nobody_in_whom_its_file_of_tokens_does_not_name(
    tree: Tree, services: dict[str, dict[str, Any]], settings: Settings
) -> None:
    mounted = mounts(services["prelim"])
    assert str(settings.http.tokens_file) in mounted

    here = tree.root / mounted[str(settings.http.tokens_file)]
    tokens = Tokens(settings.http.model_copy(update={"tokens_file": here}))
    assert settings.http.is_guarded
    assert tokens.digests() == {}


def test_compose_waits_longer_than_a_drain_takes(
    services: dict[str, dict[str, Any]], settings: Settings
) -> None:
    grace_s = float(services["prelim"]["stop_grace_period"].removesuffix("s"))

    assert grace_s > settings.daemon.drain_timeout_s


def test_prometheus_asks_prelim_and_reads_the_rules(
    tree: Tree, services: dict[str, dict[str, Any]], settings: Settings
) -> None:
    mounted = mounts(services["prometheus"])
    [file] = [
        part.partition("=")[2]
        for part in services["prometheus"]["command"]
        if part.startswith("--config.file=")
    ]
    config = yaml.safe_load(tree.read(mounted[file].removeprefix("./")))
    targets = config["scrape_configs"][0]["static_configs"][0]["targets"]
    rules = [str(Path(file).parent / name) for name in config["rule_files"]]

    assert targets == [f"prelim:{settings.http.port}"]
    assert "prelim" in settings.http.allowed_hosts
    for service in OURS:
        assert "prelim" in services[service]["networks"]["default"]["aliases"]
    assert set(rules) <= set(mounted)


def test_grafana_finds_prometheus_and_the_dashboard(
    tree: Tree, services: dict[str, dict[str, Any]]
) -> None:
    mounted = mounts(services["grafana"])
    at = "/etc/grafana/provisioning"
    source = yaml.safe_load(tree.read(mounted[f"{at}/datasources/prelim.yaml"]))["datasources"][0]
    provider = yaml.safe_load(tree.read(mounted[f"{at}/dashboards/prelim.yaml"]))["providers"][0]
    [dashboard] = [path for path in mounted if path.startswith(provider["options"]["path"])]
    panels = json.loads(tree.read(mounted[dashboard]))["panels"]

    assert source["url"] == f"http://prometheus:{published(services['prometheus']).pop()}"
    assert services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == (
        dashboard
    )
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize("file", ["deploy/alerts.yaml", "deploy/compose/grafana/prelim.json"])
def test_each_metric_that_is_asked_for_exists(tree: Tree, file: str) -> None:
    asked = asked_metrics(tree.read(file))

    assert asked
    assert asked - defined_metrics(tree) == set()


def test_each_alert_says_what_to_do(tree: Tree) -> None:
    groups = yaml.safe_load(tree.read("deploy/alerts.yaml"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]

    names = [rule["alert"] for rule in rules]
    assert len(set(names)) == len(names)
    for rule in rules:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}
