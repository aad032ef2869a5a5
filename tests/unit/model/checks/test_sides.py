"""A draft keeps left and right as the findings have them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.domain import Exam, Findings, Laterality
from model.checks.sides import BOTH, LEFT, RIGHT, find_side_fault, split_by_side

NOWHERE = "side_not_in_findings"
FINDING = "side_of_other_finding"
SIZE = "side_of_other_size"
ORDER = "side_order_not_in_findings"

FAITHFUL = [
    ("Left pleural effusion.", "Left pleural effusion."),
    ("Left pleural effusion.", "Left-sided effusion."),
    ("Left pleural effusion.", "Pleural effusion."),
    ("Left lower lobe opacity.", "LLL pneumonia."),
    ("Right upper lobe nodule, left effusion.", "Left effusion. Right nodule."),
    ("Left kidney stone.", "Left nephrolithiasis."),
    ("Bilateral pleural effusions.", "Left and right pleural effusions."),
    ("Left effusion. Right effusion.", "Bilateral effusions."),
    ("Right and left effusions.", "Both-sided effusions, both small."),
    ("Bibasilar atelectasis.", "Left and right basal atelectasis."),
    ("Right effusion. The left lung is clear.", "Right effusion; left lung is clear."),
    ("Right knee: There is an effusion.", "Right knee effusion."),
    ("LEFT KIDNEY: Cyst.\nIt is 5 mm.", "5 mm left cyst."),
    ("A 5 mm left and a 7 mm right nodule.", "7 mm right nodule, 5 mm left nodule."),
    ("Effusions, right greater than left.", "Effusions, left less than right."),
    ("Effusions, right > left.", "Effusions, larger on the right than on the left."),
    ("Erguss links.", "Linksseitiger Erguss."),
    ("Derrame pleural izquierdo.", "Derrame izquierdo."),
    ("左侧胸腔积液。", "左侧积液。"),
    ("双侧胸腔积液。", "左侧积液。"),
    ("Cyst, left lobe. Right cyst.", "Cyst in the left lobe. Right cyst."),
    ("Right pleural effusion and pneumothorax, left lung clear.", "Right pneumothorax."),
    ("The right kidney shows a cyst and a 6 mm stone, left kidney normal.", "6 mm right stone."),
    ("RIGHT KNEE: Effusion.\nMeniscal tear, left knee normal.", "Right meniscal tear."),
    ("Opacity, round in shape, fills the left apex. Right opacity.", "Left apical opacity."),
    ("Spleen: Measuring 2 cm, a mass on the left. A 2 cm right mass.", "2 cm left mass."),
    ("A nodule with thick walls at the left hilum. Right nodule.", "Left nodule. Right nodule."),
    (
        "A nodule with smooth edges and a solid and cystic texture in the right lobe. Left mass.",
        "Nodule in the right lobe. Left mass.",
    ),
    (
        "A hematoma with a smooth, thin margin along the left convexity. Right hematoma.",
        "Left hematoma. Right hematoma.",
    ),
    ("Scar of the left breast. Nipple retraction, right.", "Right nipple retraction."),
    ("An effusion with atelectasis, and a nodule in the right lung. Left tube.", "Left effusion."),
    ("Fracture with angulation, and swelling over the right wrist. Left cast.", "Left fracture."),
    ("Saddle embolus. RV/LV ratio 1.4, left arm up.", "Embolism with right heart strain."),
    ("Occluded left artery. Right occlusion.", "Left occlusion. Right occlusion."),
    ("Left demyelinating plaques. Right mass.", "Left demyelinating lesions. Right mass."),
]
MUTATED = [
    ("Left pleural effusion.", "Right pleural effusion.", NOWHERE, "Right pleural effusion."),
    ("Pleural effusion.", "Left pleural effusion.", NOWHERE, "Left pleural effusion."),
    ("Left effusion.", "Bilateral effusions.", NOWHERE, "Bilateral effusions."),
    ("Left effusion. Right nodule.", "Right effusion.", FINDING, "Right effusion."),
    ("Left effusion. Right nodule.", "Bilateral effusions.", FINDING, "Bilateral effusions."),
    ("Left effusion. Right nodule.", "Nodule of the LUL.", FINDING, "Nodule of the LUL."),
    ("Left stone. Right cyst.", "Right nephrolithiasis.", FINDING, "Right nephrolithiasis."),
    (
        "Left pneumothorax. A pneumothorax with shift and bullae in the right lung.",
        "Right pneumothorax.",
        FINDING,
        "Right pneumothorax.",
    ),
    (
        "Small left effusion. Effusion with atelectasis, consolidation in the right lobe.",
        "Right effusion.",
        FINDING,
        "Right effusion.",
    ),
    (
        "A stone in the left kidney with a cyst in the right kidney.",
        "Right stone.",
        FINDING,
        "Right stone.",
    ),
    ("Left effusion, right nodule.", "Right effusion, right nodule.", FINDING, "Right effusion"),
    (
        "A 5 mm left nodule and a 7 mm right nodule.",
        "Nodule on the left, 7 mm on the left.",
        SIZE,
        ", 7 mm on the left.",
    ),
    ("1.2 cm left nodule. 4 mm right nodule.", "12 mm right nodule.", SIZE, "12 mm right nodule."),
    (
        "Effusions, right greater than left.",
        "Effusions, left greater than right.",
        ORDER,
        "left greater than right",
    ),
    ("Effusions, right > left.", "Effusions, right < left.", ORDER, "right < left"),
    ("Erguss links.", "Erguss rechts.", NOWHERE, "Erguss rechts."),
    ("右肺结节。", "左肺结节。", NOWHERE, "左肺结节。"),
    ("Cyst, left lobe. Right stone.", "Right cyst.", FINDING, "Right cyst."),
    ("Left cyst. Right stone.", "Cyst, right lobe.", FINDING, "Cyst, right lobe."),
    ("Measuring 2 cm, a left mass. Right cyst.", "2 cm right mass.", SIZE, "2 cm right mass."),
    ("A mass with rough edges, left apex. Right cyst.", "Right mass.", FINDING, "Right mass."),
    ("A node with clots in the left groin. Right cyst.", "Right node.", FINDING, "Right node."),
    ("Occluded left artery. Right cyst.", "Right occlusion.", FINDING, "Right occlusion."),
    (
        "Left demyelinating plaques. Right mass.",
        "Right demyelinating lesions.",
        FINDING,
        "Right demyelinating lesions.",
    ),
    (
        "Right consolidation. Left effusion.",
        "Consolidation with effusion on the right.",
        FINDING,
        "with effusion on the right.",
    ),
    (
        "Right hydronephrosis. A 19 mm cyst of the left kidney.",
        "19 mm left hydronephrosis.",
        FINDING,
        "19 mm left hydronephrosis.",
    ),
    (
        "Right pleural effusion and pneumothorax, left lung clear.",
        "Left pneumothorax.",
        FINDING,
        "Left pneumothorax.",
    ),
    (
        "Right breast calcifications and a mass, left breast normal.",
        "Mass in the left breast.",
        FINDING,
        "Mass in the left breast.",
    ),
]


def findings_of(text: str, exam: Exam | None = None, indication: str | None = None) -> Findings:
    return Findings(text, indication, exam or Exam(), "site", "en")


@pytest.mark.parametrize(("findings", "draft"), FAITHFUL)
def test_a_faithful_side_is_no_fault(findings: str, draft: str) -> None:
    assert find_side_fault(findings_of(findings), draft) is None


@pytest.mark.parametrize(("findings", "draft", "reason", "shown"), MUTATED)
def test_a_side_that_the_findings_lack_is_found_where_it_stands(
    findings: str, draft: str, reason: str, shown: str
) -> None:
    fault = find_side_fault(findings_of(findings), draft)

    assert fault is not None
    assert fault.reason == reason
    assert fault.span is not None
    assert draft[slice(*fault.span)] == shown


@pytest.mark.parametrize("noun", ["effusion", "nodule", "fracture", "stone", "tear", "mass"])
@pytest.mark.parametrize(("side", "other"), [("left", "right"), ("right", "left")])
def test_a_swapped_side_is_caught_and_the_true_one_is_not(noun: str, side: str, other: str) -> None:
    findings = findings_of(f"There is a {side} {noun}. The {other} side is normal.")

    assert find_side_fault(findings, f"{side.title()} {noun}.") is None
    assert find_side_fault(findings, f"{other.title()} {noun}.") is not None


@pytest.mark.parametrize(
    "exam",
    [
        Exam(laterality=Laterality.LEFT),
        Exam(laterality=Laterality.BILATERAL),
        Exam(display="XR LEFT WRIST"),
        Exam(alternate_display="Wrist left"),
    ],
)
def test_the_exam_may_name_the_side(exam: Exam) -> None:
    assert find_side_fault(findings_of("A fracture.", exam), "Left fracture.") is None


def test_another_side_than_the_exam_s_is_a_fault() -> None:
    findings = findings_of("A fracture.", Exam(laterality=Laterality.LEFT))
    fault = find_side_fault(findings, "Right fracture.")

    assert fault is not None
    assert fault.reason == NOWHERE


def test_the_indication_may_name_the_side() -> None:
    findings = findings_of("A fracture.", indication="Pain in the right wrist")

    assert find_side_fault(findings, "Right fracture.") is None


def test_a_text_is_cut_into_pieces_of_one_side_each() -> None:
    pieces = split_by_side("Left effusion, right nodule and bilateral cysts.")

    assert [piece.sides for piece in pieces] == [{LEFT}, {RIGHT}, BOTH]


def test_a_comma_within_one_statement_cuts_nothing() -> None:
    text = "Measuring 9 mm, a stone, smooth in outline, in the left pole, and a right cyst."

    first, second = split_by_side(text)

    assert [first.sides, second.sides] == [{LEFT}, {RIGHT}]
    assert first.text.endswith("left pole")


def test_a_denied_finding_takes_no_side_from_what_follows() -> None:
    pieces = split_by_side("No effusion, left base is clear.")

    assert [piece.sides for piece in pieces] == [set(), {LEFT}]


def test_a_heading_s_side_goes_for_the_sentences_below_it_until_the_next_heading() -> None:
    pieces = split_by_side("Left kidney: Normal.\nA cyst.\nBladder: Normal. A stone.")

    assert [piece.sides for piece in pieces] == [{LEFT}, {LEFT}, set(), set()]
    assert not pieces[1].is_named_here


def test_a_side_that_names_no_problem_of_its_own_is_carried_to_the_next_piece() -> None:
    _, second = split_by_side("The right upper lobe and left lower lobe opacities.")

    assert second.sides == {LEFT}
    assert second.sides_possible == BOTH


def test_a_piece_prints_no_text(canary_name: str) -> None:
    (piece,) = split_by_side(f"{canary_name} has a left effusion of 4 mm.")

    assert canary_name[:5].lower() not in repr(piece).lower()


@given(st.lists(st.sampled_from([text for text, _ in FAITHFUL]), max_size=4).map(" ".join))
def test_a_text_names_no_side_that_it_does_not_have_itself(text: str) -> None:
    assert find_side_fault(findings_of(text), text) is None


def test_a_long_report_is_judged_in_a_moment() -> None:
    sentence = "A 1.2 cm nodule in the right lung, and small left effusion with atelectasis. "
    started_s = time.process_time()
    find_side_fault(findings_of(sentence * 200), sentence * 20)

    assert time.process_time() - started_s < 2
