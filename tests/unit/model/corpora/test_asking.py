"""What a corpus's report is asked as, and whose report is passed over."""

from __future__ import annotations

from dataclasses import replace

from mappings.domain import Modality, Region
from model.corpora.asking import findings_of, prompt_of, prompts_of, write_impressions
from model.corpora.schema import CorpusRow
from model.prompt import DEFAULT_PLAN, FINDINGS_CHARACTERS_MAX, PromptPlan
from tests.unit.model.comparing.comparing_samples import KnowingWriter

REPORT = CorpusRow(
    "r",
    site="north",
    style="Numbered list.",
    findings="Clear lungs.",
    modality=Modality.CT,
    region=Region.CHEST,
    exam_display="Chest, 2 views",
    indication="Cough",
)
TOO_LONG = replace(REPORT, findings="Clear lungs. " * 20)  # for the writer
FAR_TOO_LONG = replace(REPORT, findings="x" * (FINDINGS_CHARACTERS_MAX + 1))  # for any prompt


def test_a_report_is_read_as_the_daemon_would_read_it() -> None:
    findings = findings_of(REPORT)

    assert (findings.text, findings.indication, findings.site) == ("Clear lungs.", "Cough", "north")
    assert (findings.exam.modality, findings.exam.region) == (Modality.CT, Region.CHEST)
    assert findings.exam.display == "Chest, 2 views"


def test_a_hospitals_own_report_may_leave_modality_and_region_open() -> None:
    findings = findings_of(CorpusRow("r", findings="Lunge frei.", language="de"))

    assert (findings.exam.modality, findings.exam.region) == (None, None)
    assert findings.language == "de"


def test_a_prompt_tells_the_sites_style_and_what_its_plan_says() -> None:
    prompt = prompt_of(REPORT, adapter="demo")
    bare = prompt_of(REPORT, PromptPlan(variant="none", indication=False))

    text = "".join(piece.text for piece in prompt.pieces)
    assert (prompt.adapter, prompt.findings) == ("demo", "Clear lungs.")
    assert "Numbered list." in text
    assert "Cough" in text
    assert not any(word in piece.text for piece in bare.pieces for word in ("Numbered", "Cough"))


def test_what_is_too_long_has_no_prompt_and_no_draft() -> None:
    writer, done = KnowingWriter(), list[int]()
    reports = [TOO_LONG, REPORT, FAR_TOO_LONG]

    assert [one is None for one in prompts_of(reports, DEFAULT_PLAN, writer)] == [True, False, True]
    assert write_impressions(reports, DEFAULT_PLAN, writer, done.append) == [
        None,
        "Small left effusion.",
        None,
    ]
    assert len(writer.asked) == 1
    assert sum(done) == len(reports)
