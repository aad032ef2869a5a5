"""``prelim draft``: dry-run's record with the draft and its checks, nothing stored."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

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
    def __init__(self, *answers: Draft | Exception) -> None:
        self.answers = answers
        self.prompts: list[Prompt] = []

    async def draft(self, prompt: Prompt, *, is_alone: bool = False) -> Draft:
        self.prompts.append(prompt)
        answer = self.answers[prompt.redraft]
        if isinstance(answer, Exception):
            raise answer
        return replace(answer, engine=replace(answer.engine, redraft=prompt.redraft))


async def records(model: Model, payload: bytes, redrafts_max: int = 0) -> list[dict[str, Any]]:
    return [
        record
        async for record in preview(
            "x.hl7",
            0,
            payload,
            sites=SiteSet(),
            drafter=model,
            prompt_of=build_prompt,
            redrafts_max=redrafts_max,
        )
    ]


async def test_each_group_with_findings_is_drafted_and_checked(
    make_draft: Callable[..., Draft],
) -> None:
    model = Model(make_draft("12 mm nodule in the left upper lobe."))

    first, second = await records(model, HEAD + GROUP % b"F1" + FINDINGS + GROUP % b"F2")

    failed = [one["check"] for one in first["checks"] if not one["is_passed"]]
    assert first["draft"] == "12 mm nodule in the left upper lobe."
    assert failed == ["side_not_in_findings"]
    assert (second["decision"], second["draft"]) == ("skip", None)
    assert len(model.prompts) == 1


async def test_the_redraft_that_the_daemon_would_take_is_told_with_its_number(
    make_draft: Callable[..., Draft],
) -> None:
    model = Model(make_draft("12 mm nodule in the left upper lobe."), make_draft())

    [record] = await records(model, HEAD + GROUP % b"F1" + FINDINGS, redrafts_max=4)

    assert record["draft"] == "12 mm nodule in the right upper lobe."
    assert record["engine"]["redraft"] == 1
    assert all(one["is_passed"] for one in record["checks"])


async def test_a_refused_redraft_leaves_the_first_draft_with_its_checks(
    make_draft: Callable[..., Draft],
) -> None:
    wrong = make_draft("12 mm nodule in the left upper lobe.")
    model = Model(wrong, PromptRefusedError("server_refused_prompt"))

    [record] = await records(model, HEAD + GROUP % b"F1" + FINDINGS, redrafts_max=4)

    assert (record["ok"], record["draft"]) == (True, wrong.text)
    assert [one["check"] for one in record["checks"] if not one["is_passed"]] == [
        "side_not_in_findings"
    ]


@pytest.mark.parametrize("reason", ["prompt_too_long"])
async def test_a_prompt_that_cannot_be_run_is_told_not_raised(reason: str) -> None:
    [record] = await records(Model(PromptRefusedError(reason)), HEAD + GROUP % b"F1" + FINDINGS)

    assert record["ok"] is False
    assert record["error"] == {"reason": reason, "where": None}
