"""What every tier of tests shares: how hypothesis runs, how long a test may take, free ports.

Only synthetic patients; and a canary among them, whose name no log line, metric or error may show.
"""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING, TypedDict

import pytest
import structlog
from hypothesis import settings

from tests.samples.free_ports import free_port as find_free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SLOW_TIER_TIMEOUT_S = 300
CANARY_NAME = "QUETZALCANARY"

settings.register_profile("ci", derandomize=True, deadline=None)
# The deadline is off on a developer's machine too: it measures the neighbours, not our code.
settings.register_profile("dev", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Give the tiers that start processes or load a model the time they need."""
    for item in items:
        is_slow = item.get_closest_marker("process") or item.get_closest_marker("model")
        if is_slow and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SLOW_TIER_TIMEOUT_S))


@pytest.fixture(autouse=True)
def logs_as_shipped() -> Iterator[None]:
    """Undo what a command set: a level of "error" would hide the next test's lines."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def canary_name() -> str:
    """Return a patient's family name that is searched for in everything a test captures."""
    return CANARY_NAME


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return a function that finds a TCP port on loopback that nothing listens on."""
    return find_free_port


class Unprivileged(TypedDict, total=False):
    """Arguments of subprocess.Popen that leave root behind."""

    user: int
    group: int
    extra_groups: list[int]


@pytest.fixture(scope="session")
def unprivileged() -> Unprivileged:
    """Return Popen arguments for a server that refuses to run as root (PostgreSQL does)."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
