"""The container files name files, settings and ports that exist, and do not run as root.

No container engine is needed: what is checked is that they agree with this tree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from daemon.config import load_settings

if TYPE_CHECKING:
    from tests.architecture.source_tree import Tree

CONTAINERFILE = "deploy/Containerfile"


@pytest.fixture(scope="module")
def service(tree: Tree) -> dict[str, Any]:
    """Return the one service of docker-compose.yml."""
    compose = yaml.safe_load(tree.read("docker-compose.yml"))
    assert list(compose["services"]) == ["prelim"]
    return dict(compose["services"]["prelim"])


def test_what_the_image_copies_is_there(tree: Tree) -> None:
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", tree.read(CONTAINERFILE), re.MULTILINE)
    copied = {name for line in lines for name in line.split()}

    assert copied
    assert {name for name in copied if not (tree.root / name).exists()} == set()
    assert {f"!{name}" for name in copied} <= set(tree.read(".dockerignore").splitlines())


def test_the_image_does_not_run_as_root(tree: Tree) -> None:
    users = re.findall(r"^USER (\S+)$", tree.read(CONTAINERFILE), re.MULTILINE)

    assert users[-1].split(":")[0] not in {"root", "0"}


def test_compose_builds_this_tree(tree: Tree, service: dict[str, Any]) -> None:
    build = service["build"]

    assert (tree.root / build["context"] / build["dockerfile"]).is_file()


def test_compose_sets_what_prelim_takes_and_publishes_what_it_opens(
    service: dict[str, Any],
) -> None:
    settings = load_settings(environment=service["environment"])
    listener = settings.mllp.listeners["default"]

    assert listener.host == "0.0.0.0"
    assert service["ports"] == [f"127.0.0.1:{listener.port}:{listener.port}"]


def test_compose_keeps_what_prelim_writes(tree: Tree, service: dict[str, Any]) -> None:
    data = re.search(r"PRELIM_DATA=(\S+)", tree.read(CONTAINERFILE))

    assert data is not None
    assert [volume.split(":")[1] for volume in service["volumes"]] == [data[1]]


def test_compose_waits_longer_than_a_drain_takes(service: dict[str, Any]) -> None:
    grace_s = float(service["stop_grace_period"].removesuffix("s"))

    assert grace_s > load_settings(environment={}).daemon.drain_timeout_s
