"""Faithful pairs pass, mutated pairs are caught; all texts are invented."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.domain import (
    Draft,
    EngineIdentity,
    Exam,
    Findings,
    FinishReason,
    Laterality,
)
from model.draft_checks import check_draft, is_withheld
from model.engines.extractive import extract_impression
from model.synth.language import language_named, languages
from model.synth.lexicon import REGIONS, frames
from model.synth.phrasebook import compose_in, styles_of
from model.synth.report import compose_report

PAIRS = Path("tests/vectors/drafts/pairs.jsonl")
IDENTITY = EngineIdentity(
    engine="extractive",
    engine_version="1",
    base=None,
    base_digest=None,
    adapter=None,
    adapter_digest=None,
    template_version="impression/1",
    dtype=None,
    is_demo=True,
)
CHECKS = (
    "empty",
    "cut_off",
    "prompt_echo",
    "repetition",
    "number_not_in_findings",
    "side_not_in_findings",
    "finding_not_in_findings",
    "finding_left_out",
)


def findings_of(
    text: str, indication: str | None = None, laterality: Laterality | None = None
) -> Findings:
    return Findings(text, indication, Exam(laterality=laterality), "site", "en")


def draft_of(text: str, finish: FinishReason = FinishReason.STOP) -> Draft:
    return Draft(text, finish, 1, 1, IDENTITY)


def reasons(findings: str | Findings, text: str) -> dict[str, str | None]:
    given_findings = findings_of(findings) if isinstance(findings, str) else findings
    verdicts = check_draft(given_findings, draft_of(text))
    return {one.check: one.reason for one in verdicts if not one.is_passed}


def reasons_of_what_is_said(findings: str | Findings, text: str) -> dict[str, str | None]:
    """The same without what the draft leaves out: most drafts here sum up a part."""
    found = reasons(findings, text)
    found.pop("finding_left_out", None)
    return found


CHEST = (
    "There is a 1.2 cm nodule in the right upper lobe. Small left pleural effusion. Fractures of"
    " the left 5th and 6th ribs. Heart size is normal. No pneumothorax."
)
SPINE = (
    "L3-L4: Mild disc bulge. L4-L5: Moderate central stenosis. L5-S1: Left paracentral protrusion"
    " measuring 4 x 6 mm. Compression fracture of T12 with 40% loss of height."
)
ABDOMEN = (
    "4 mm stone in the lower pole of the left kidney. Right renal cyst of 2.3 x 1.1 cm. Three"
    " hypodense liver lesions, the largest 15 mm. Liver attenuation 35 HU. Grade 2 hydronephrosis."
)
FAITHFUL = [
    (CHEST, "1. 12 mm right upper lobe nodule.\n2. Small left pleural effusion."),
    (CHEST, "1.2-cm nodule in the RUL. Fractures of the left fifth and sixth ribs."),
    (CHEST, "1. Right upper lobe nodule, 1.2 cm. 2. Left effusion. 3. Left rib fractures."),
    (CHEST, "No acute abnormality on the left; right nodule as described."),
    (SPINE, "1. Moderate stenosis at L4-L5. 2. Left paracentral protrusion at L5-S1, 6 mm."),
    (SPINE, "Degenerative change from L3 to S1, worst at L4/5. T12 fracture, 40 % height loss."),
    (SPINE, "Left L5-S1 disc protrusion of 4 x 6 millimeters."),
    (ABDOMEN, "0.4 cm calculus of the left kidney. 23 x 11 mm cyst of the right kidney."),
    (ABDOMEN, "3 liver lesions up to 1.5 cm. Grade II hydronephrosis."),
    ("Bilateral pleural effusions, right greater than left.", "Effusions, larger on the right."),
    ("Right and left pleural effusions.", "Bilateral pleural effusions."),
    ("Bibasilar atelectasis.", "Atelectasis at both lung bases."),
    ("Nodule in segment 6 measuring 5 to 7 mm.", "5-7 mm nodule in segment 6."),
    ("Left knee: There is a tear of the medial meniscus.", "Left medial meniscus tear."),
    ("The right upper lobe and left lower lobe opacities persist.", "Bilateral opacities."),
    ("Pneumonia in the right lower lobe. No left lower lobe opacity.", "Right opacity."),
    ("Kleiner Erguss links. Rundherd rechts 8 mm.", "Erguss links, Rundherd von 0,8 cm rechts."),
    ("右肺上叶见结节,直径约12mm。左侧胸腔积液。", "右肺上叶结节。左侧胸腔积液。"),
    ("Both the liver and spleen are enlarged.", "Hepatosplenomegaly."),
    ("BI-RADS 4A mass in the left breast.", "Left breast mass, BI-RADS 4A."),
    ("Nodule of -10 HU.", "Nodule of \u221210 HU."),
    ("A 15 mm nodule.", "One nodule of fifteen millimeters."),
    ("Nodules of 3 -5 mm.\n-6 mm cyst.", "Nodules of 3 to 5 mm, cyst of 6 mm."),
]
MUTATED = [
    (CHEST, "12 mm left upper lobe nodule.", "side_of_other_size"),
    (CHEST, "Nodule in the left upper lobe.", "side_of_other_finding"),
    (CHEST, "Small right pleural effusion.", "side_of_other_finding"),
    (CHEST, "1.2 mm right upper lobe nodule.", "size_not_in_findings"),
    (CHEST, "1.3 cm right upper lobe nodule.", "size_not_in_findings"),
    (CHEST, "Right upper lobe nodule. 1.2 cm left-sided pleural fluid.", "side_of_other_size"),
    (CHEST, "Fractures of the left fifth and seventh ribs.", "number_not_in_findings"),
    (CHEST, "Bilateral pleural effusions.", "side_of_other_finding"),
    (CHEST, "Two right upper lobe nodules.", "number_not_in_findings"),
    (SPINE, "Moderate stenosis at L2-L3.", "level_not_in_findings"),
    (SPINE, "Compression fracture of T11.", "level_not_in_findings"),
    (SPINE, "T12 fracture with 60% loss of height.", "number_not_in_findings"),
    (SPINE, "Right paracentral protrusion at L5-S1.", "side_not_in_findings"),
    (ABDOMEN, "4 cm stone in the left kidney.", "size_not_in_findings"),
    (ABDOMEN, "Right nephrolithiasis.", "side_of_other_finding"),
    (ABDOMEN, "2.3 x 1.2 cm right renal cyst.", "size_not_in_findings"),
    (ABDOMEN, "Liver attenuation 45 HU.", "number_not_in_findings"),
    (ABDOMEN, "Grade IV hydronephrosis.", "number_not_in_findings"),
    ("L3-L4 bulge. L5-S1 bulge.", "Disc bulge at L4-L5.", "level_not_in_findings"),
    ("Segment 5 lesion.", "5 mm lesion.", "size_not_in_findings"),
    ("Small effusion.", "Small left effusion.", "side_not_in_findings"),
    (
        "Pleural effusions, right greater than left.",
        "Pleural effusions, left greater than right.",
        "side_order_not_in_findings",
    ),
    ("BI-RADS 4A mass in the left breast.", "Left mass, BI-RADS 4C.", "number_not_in_findings"),
    ("Kleiner Erguss links.", "Kleiner Erguss rechts.", "side_not_in_findings"),
    ("右肺上叶见结节。", "左肺上叶结节。", "side_not_in_findings"),
    ("1. There is a nodule.\n2. No effusion.", "2 nodules.", "number_not_in_findings"),
    ("Nodule of -10 HU.", "Nodule of 10 HU.", "number_not_in_findings"),
    ("T-score of 2.6.", "T-score of \u22122.6.", "number_not_in_findings"),
    ("A 5 mm nodule.", "A fifteen millimeter nodule.", "size_not_in_findings"),
    ("A 2 cm nodule.", "A one centimeter nodule.", "size_not_in_findings"),
    ("Several nodules.", "Twenty nodules.", "number_not_in_findings"),
]
BROKEN = [
    ("", "empty", "no_words"),
    (" \n.", "empty", "no_words"),
    ("1.", "empty", "no_words"),
    ("There is a nodule in the", "cut_off", "ends_in_mid_sentence"),
    ("Nodule, effusion,", "cut_off", "ends_in_mid_sentence"),
    ("A nodule.<|im_end|>", "prompt_echo", "control_token"),
    ("A nodule.\nFindings: A nodule.", "prompt_echo", "prompt_heading"),
    ("A nodule. Indication: cough.", "prompt_echo", "prompt_heading"),
    ("A nodule.\nassistant\nA nodule.", "prompt_echo", "role_name"),
    ("Here is the impression of this report. A nodule.", "prompt_echo", "instruction"),
    ("Write the impression of this CT report.", "prompt_echo", "instruction"),
    ("There is a small nodule. There is a small nodule.", "repetition", "sentence_repeated"),
    ("1. There is a nodule.\n2. There is a nodule.", "repetition", "sentence_repeated"),
    ("nodule nodule nodule nodule", "repetition", "words_loop"),
    ("small nodule, small nodule, small nodule", "repetition", "words_loop"),
]


@pytest.mark.parametrize(("findings", "text"), FAITHFUL)
def test_a_faithful_draft_passes_every_check(findings: str, text: str) -> None:
    assert reasons_of_what_is_said(findings, text) == {}


@pytest.mark.parametrize(("findings", "text", "reason"), MUTATED)
def test_a_number_or_side_that_is_not_the_findings_is_caught(
    findings: str, text: str, reason: str
) -> None:
    assert reason in reasons(findings, text).values()


@pytest.mark.parametrize(("text", "check", "reason"), BROKEN)
def test_a_broken_text_is_caught_by_its_check(text: str, check: str, reason: str) -> None:
    assert reasons("There is a small nodule. Segments 1 and 2.", text)[check] == reason


def test_every_check_answers_in_a_fixed_order() -> None:
    verdicts = check_draft(findings_of("Small left effusion."), draft_of("Small left effusion."))

    assert tuple(verdict.check for verdict in verdicts) == CHECKS
    assert not is_withheld(verdicts)


def test_a_draft_that_reached_the_output_limit_is_withheld() -> None:
    verdicts = check_draft(
        findings_of(CHEST), draft_of("Small left pleural effusion.", FinishReason.LENGTH)
    )

    assert "output_limit_reached" in [one.reason for one in verdicts]
    assert is_withheld(verdicts)


def test_the_span_shows_the_fault_in_the_draft() -> None:
    text = "Small left pleural effusion. Nodule of 13 mm."
    verdicts = check_draft(findings_of(CHEST), draft_of(text))

    (failed,) = (one for one in verdicts if one.check == "number_not_in_findings")
    assert failed.span is not None
    assert text[slice(*failed.span)] == "13 mm"


@pytest.mark.parametrize(
    ("laterality", "text", "is_caught"),
    [
        (Laterality.LEFT, "Left distal radius fracture.", False),
        (Laterality.BILATERAL, "Bilateral osteoarthritis.", False),
        (Laterality.LEFT, "Right distal radius fracture.", True),
        (None, "Left distal radius fracture.", True),
    ],
)
def test_the_exam_may_name_the_side(
    laterality: Laterality | None, text: str, *, is_caught: bool
) -> None:
    findings = findings_of("Fracture of the distal radius, arthrosis.", laterality=laterality)

    assert bool(reasons_of_what_is_said(findings, text)) is is_caught


def test_the_indication_may_name_the_side() -> None:
    findings = findings_of("Lower lobe opacity.", indication="Right-sided chest pain")

    assert reasons(findings, "Right lower lobe opacity.") == {}


def test_a_reason_holds_no_word_of_the_report() -> None:
    found = reasons("QUETZALCANARY effusion.", "QUETZALCANARY left effusion of 3 mm.")

    assert set(found.values()) == {"side_not_in_findings", "size_not_in_findings"}


SWAP = {"left": "right", "right": "left", "Left": "Right", "Right": "Left"}


def synthetic_reports(count: int) -> list[tuple[Findings, str]]:
    rng = random.Random(7)  # noqa: S311 - invented reports
    made = []
    for index in range(count):
        report = compose_report(
            rng,
            REGIONS[index % len(REGIONS)],
            rng.choice(frames().styles),
            is_held_back=index % 2 == 0,
        )
        exam = Exam(display=report.exam_display)
        findings = Findings(report.findings, report.indication, exam, "site", "en")
        made.append((findings, report.impression))
    return made


def test_extractive_drafts_and_99_of_100_synthetic_impressions_pass() -> None:
    refused = []
    for findings, impression in synthetic_reports(210):
        extracted, is_whole = extract_impression(findings.text, 100_000)

        assert is_whole
        assert reasons(findings, extracted) == {}, (findings.text, extracted)
        if reasons(findings, impression):
            refused.append((findings.text, impression))
    assert len(refused) <= 2, refused


def test_nine_of_ten_synthetic_impressions_with_a_wrong_side_or_size_are_caught() -> None:
    sides, sizes = [], []
    for findings, impression in synthetic_reports(210):
        if re.search(r"\b(?:left|right)\b", impression, re.IGNORECASE):
            swapped = re.sub(r"\b([Ll]eft|[Rr]ight)\b", lambda word: SWAP[word[1]], impression)
            sides.append(bool(reasons(findings, swapped)))
        if re.search(r"\d (?:mm|cm)", impression):
            grown = re.sub(
                r"\d(?= (?:mm|cm))", lambda digit: str((int(digit[0]) + 4) % 10), impression
            )
            sizes.append(bool(reasons(findings, grown)))

    assert len(sides) > 50
    assert sum(sides) >= 0.9 * len(sides)
    assert len(sizes) > 30
    assert sum(sizes) >= 0.9 * len(sizes)


def reports_in(language: str) -> list[tuple[Findings, str]]:
    rng = random.Random(11)  # noqa: S311 - invented reports
    made = []
    for index in range(140):
        region, style = REGIONS[index % len(REGIONS)], rng.choice(styles_of(language))
        report = compose_in(language, rng, region=region, style=style, is_held_back=bool(index % 2))
        exam = Exam(display=report.exam_display)
        findings = Findings(report.findings, report.indication, exam, "site", language)
        made.append((findings, report.impression))
    return made


@pytest.mark.parametrize("language", languages())
def test_other_languages_pass_when_faithful_and_are_caught_with_a_wrong_side_or_size(
    language: str,
) -> None:
    left, right = (language_named(language).sides[side] for side in ("left", "right"))
    other = {left[form]: right[form] for form in left} | {right[form]: left[form] for form in left}
    side = re.compile("|".join(sorted(other, key=len, reverse=True)))
    sides, sizes = [], []
    for findings, impression in reports_in(language):
        assert reasons(findings, impression) == {}, (findings.text, impression)
        swapped = side.sub(lambda word: other[word[0]], impression)
        grown = re.sub(r"\d(?= ?[mc]m)", lambda digit: str((int(digit[0]) + 4) % 10), impression)
        sides += [bool(reasons(findings, swapped))] if swapped != impression else []
        sizes += [bool(reasons(findings, grown))] if grown != impression else []

    # Chinese says "both sides" of what is well, and so the other side is seldom a stranger.
    assert sum(sides) >= (0.75 if language == "zh" else 0.9) * len(sides) > 30
    assert all(sizes)
    assert len(sizes) > 20


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_breaks_a_check(findings: str, text: str) -> None:
    verdicts = check_draft(findings_of(findings), draft_of(text))

    for verdict in verdicts:
        assert verdict.is_passed == (verdict.reason is None)
        if verdict.span is not None:
            assert 0 <= verdict.span[0] <= verdict.span[1] <= len(text)


@given(st.text(alphabet="0123456789.,xX×-LTS mcleftrigh\n%", max_size=60))  # noqa: RUF001 - a sign of reports
def test_a_text_never_has_a_number_or_side_that_itself_does_not_have(text: str) -> None:
    found = reasons(text, text)

    assert not {"number_not_in_findings"} & set(found)


def test_pairs_written_to_break_the_checks_are_judged_no_worse_than_told() -> None:
    judged = Counter[tuple[bool, bool]]()
    for pair in map(json.loads, PAIRS.read_text(encoding="utf-8").splitlines()):
        verdicts = check_draft(findings_of(pair["findings"]), draft_of(pair["draft"]))
        judged[pair["kind"] == "faithful", is_withheld(verdicts)] += 1

    assert judged.total() == 234
    assert judged[True, True] <= 14
    assert judged[False, False] <= 16
