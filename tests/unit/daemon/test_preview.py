"""``prelim draft``: dry-run's record with the draft and its checks, nothing stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.preview import preview
from mappings.sites import SiteSet
from model.errors import PromptRefusedError
from model.prompt import build_prompt

if TYPE_CHECKING:
    from collections.abc import Callable

    from mappings.domain import Draft, Prompt

HEAD = b"MSH|^~\\&|A|B|||20261121||ORU^R01|1|P|2.5\rPID|1||P1\r"
GROUP = b"OBR|1|O1|%s|CTCHEST^CT CHEST^L|||20261121||||||||||||||||||P\r"
FINDINGS = b"OBX|1|TX|&GDT||There is a 12 mm nodule in the right upper lobe.||||||P\r"


class Model:
    def __init__(self, answer: Draft | Exception) -> None:
        self.answer = answer
        self.prompts: list[Prompt] = []

    async def draft(self, prompt: Prompt, *, is_alone: bool = False) -> Draft:
        self.prompts.append(prompt)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def records(model: Model, payload: bytes) -> list[dict[str, object]]:
    return [
        record
        async for record in preview(
            "x.hl7", 0, payload, sites=SiteSet(), drafter=model, prompt_of=build_prompt
        )
    ]


async def test_each_group_with_findings_is_drafted_and_checked(
    make_draft: Callable[..., Draft],
) -> None:
    model = Model(make_draft("12 mm nodule in the left upper lobe."))

    first, second = await records(model, HEAD + GROUP % b"F1" + FINDINGS + GROUP % b"F2")

    failed = [one["check"] for one in first["checks"] if not one["is_passed"]]  # type: ignore[attr-defined]
    assert first["draft"] == "12 mm nodule in the left upper lobe."
    assert failed == ["side_not_in_findings"]
    assert (second["decision"], second["draft"]) == ("skip", None)
    assert len(model.prompts) == 1


@pytest.mark.parametrize("reason", ["prompt_too_long"])
async def test_a_prompt_that_cannot_be_run_is_told_not_raised(reason: str) -> None:
    [record] = await records(Model(PromptRefusedError(reason)), HEAD + GROUP % b"F1" + FINDINGS)

    assert record["ok"] is False
    assert record["error"] == {"reason": reason, "where": None}
