"""``prelim send`` to a FHIR door: each resource where its kind goes, every answer printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from daemon.errors import ConfigurationError
from daemon.sending_fhir import PostPlan, post_all
from interfaces.fhir_endpoints import outcome
from tests.unit.interfaces.fhir_servers import serving

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

REPORT = b'{"resourceType": "DiagnosticReport", "id": "%d"}'


class Door:
    """Remembers what came, and refuses the report whose id is 13."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str | None]] = []
        self.app = Starlette(routes=[Route("/{path:path}", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        self.heard.append((request.path_params["path"], request.headers.get("Authorization")))
        if json.loads(await request.body()).get("id") == "13":
            return outcome(422, "invalid", "QUETZALCANARY", None)
        return Response(status_code=201)


async def test_each_resource_goes_where_its_kind_does(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-token-of-the-ris\n")
    token.chmod(0o600)
    bundles = [
        b'{"resourceType": "Bundle", "type": "%s"}' % kind for kind in (b"message", b"batch")
    ]
    door = Door()

    async with serving(door.app) as url:
        plan = PostPlan(f"{url}/fhir", token_file=token)
        assert await post_all([REPORT % 1, *bundles], plan, as_json=False)

    shown = "Bearer a-token-of-the-ris"
    assert door.heard == [
        ("fhir/DiagnosticReport", shown),
        ("fhir/$process-message", shown),
        ("fhir", shown),
    ]


async def test_a_refusal_is_told_by_its_issue_type_and_is_a_no(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with serving(Door().app) as url:
        plan = PostPlan(url, concurrency=3)
        assert not await post_all([REPORT % n for n in (12, 13, 14)], plan, as_json=True)

    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    *lines, total = map(json.loads, printed)
    assert {(one["index"], one["status"], one["error"]) for one in lines} == {
        (0, 201, None),
        (1, 422, "invalid"),
        (2, 201, None),
    }
    assert total == {"sent": 3, "codes": {"201": 2, "422": 1}}


async def test_nobody_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    plan = PostPlan("http://127.0.0.1:1", timeout_s=5)

    assert not await post_all([REPORT % 1], plan, as_json=False)
    assert "no answer (" in capsys.readouterr().out


async def test_what_is_no_fhir_is_not_sent() -> None:
    with pytest.raises(ConfigurationError, match="not FHIR JSON"):
        await post_all([b"MSH|^~"], PostPlan("http://127.0.0.1:1"), as_json=False)
