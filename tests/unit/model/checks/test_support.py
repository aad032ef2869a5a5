"""What a draft may not add, and what it may not leave out; all texts are invented."""

from __future__ import annotations

import pytest

from mappings.domain import Exam, Findings
from model.checks.support import find_left_out, find_unsupported


def findings_of(text: str, language: str = "en") -> Findings:
    return Findings(text, None, Exam(), "site", language)


@pytest.mark.parametrize(
    ("text", "draft", "reason"),
    [
        ("A pneumothorax is not seen.", "Pneumothorax.", "denied_by_findings"),
        ("Lungs are clear. No effusion.", "Small effusion.", "denied_by_findings"),
        ("Nothing to suggest appendicitis.", "Acute appendicitis.", "denied_by_findings"),
        ("Hydronephrosis is absent.", "Mild hydronephrosis.", "denied_by_findings"),
        ("No pleural effusion.", "Opacity, possibly effusion.", "denied_by_findings"),
        ("The embolism has resolved.", "Pulmonary embolism.", "denied_by_findings"),
        ("The lungs are clear.", "Pneumothorax.", "not_in_findings"),
        ("3 mm calcified granuloma.", "3 mm stone.", "not_in_findings"),
        ("Mild scoliosis.", "1. Scoliosis.\n2. Compression fracture.", "not_in_findings"),
        ("No meniscal tear. Intact tendons.", "Tear of the tendon.", "denied_by_findings"),
        ("Pelvic collection. No hematoma.", "Subdural hematoma.", "denied_by_findings"),
        ("Parietal mass.", "Demyelinating lesions.", "not_in_findings"),
        ("Mass. No demyelination.", "Demyelinating lesions.", "denied_by_findings"),
        ("Ruptured Baker cyst. No meniscal tear.", "Medial meniscal tear.", "denied_by_findings"),
        ("Epidural collection. No hematoma.", "Epidural hematoma.", "denied_by_findings"),
        ("Subdural collection of fluid. No hematoma.", "Subdural hematoma.", "denied_by_findings"),
        ("Multifocal demyelination.", "Liver lesion.", "not_in_findings"),
        ("Normal size of the ventricles.", "Moderate hydrocephalus.", "not_in_findings"),
        ("Ulnar fracture. No dislocation.", "Internal fixation hardware.", "not_in_findings"),
        ("Cord edema. Cord compression is absent.", "Cord compression.", "denied_by_findings"),
        ("Epidural abscess. Normal cord signal.", "Cord compression.", "not_in_findings"),
        ("Clear lungs and flat diaphragm.", "Elevated right hemidiaphragm.", "not_in_findings"),
        ("Focal consolidation. No ground glass.", "Ground-glass mass.", "denied_by_findings"),
        ("The thyroid is normal.", "Moderate goiter.", "not_in_findings"),
        ("Clear sinuses. Mastoid effusion.", "Maxillary sinusitis.", "not_in_findings"),
        ("Normal skin and nipples. Mass.", "Nipple retraction.", "not_in_findings"),
        ("Vertebral fracture.", "3 mm anterolisthesis.", "not_in_findings"),
        ("Intact tendons. Effusion.", "Achilles tendinosis.", "not_in_findings"),
        ("The left ventricle is enlarged.", "Hydrocephalus.", "not_in_findings"),
        ("Common bile duct 4 mm. Gallstones.", "Biliary dilatation.", "not_in_findings"),
        ("Mediastinal fat is prominent.", "Hepatic steatosis.", "not_in_findings"),
        ("Vertebral body fracture. Free fluid.", "Loose body in the knee.", "not_in_findings"),
        ("Plate-like atelectasis.", "Orthopedic hardware.", "not_in_findings"),
        ("Small effusion.", "Renal atrophy.", "not_in_findings"),
        ("The sella is normal.", "Pituitary adenoma.", "not_in_findings"),
        (
            "The gallbladder holds stones of up to 8 mm. Pancreas and both kidneys are normal.",
            "8 mm stone in the kidney.",
            "organ_normal_in_findings",
        ),
        (
            "The spleen is enlarged. The liver is normal.",
            "Enlarged liver.",
            "organ_normal_in_findings",
        ),
    ],
)
def test_a_finding_that_the_report_does_not_state_is_found(
    text: str, draft: str, reason: str
) -> None:
    fault = find_unsupported(findings_of(text), draft)

    assert fault is not None
    assert fault.reason == reason


@pytest.mark.parametrize(
    ("text", "draft"),
    [
        ("Filling defects in the pulmonary arteries.", "Pulmonary embolism."),
        ("Patchy opacity in the right lung base.", "Possible pneumonia at the right base."),
        ("The appendix is dilated with fat stranding.", "Acute appendicitis."),
        ("The transverse cardiac diameter is increased.", "Cardiomegaly."),
        ("A pneumothorax is not seen. Rib fracture.", "Rib fracture. No pneumothorax."),
        ("The heart is normal. Dilated right ventricle.", "Right heart strain."),
        ("The lungs are clear.", "No acute abnormality."),
        ("Effusion cannot be excluded.", "Possible effusion."),
        ("Ruptured Achilles tendon. No muscle tear.", "Tear of the Achilles tendon."),
        ("A thin subdural collection. No midline shift.", "Subdural hematoma."),
        ("Demyelinating lesions in the white matter.", "Multiple white matter lesions."),
        ("A nodule that was not seen before, now 8 mm.", "8 mm nodule."),
        ("The gallbladder was not found.", "Absent gallbladder."),
        ("Demyelination of the pons. No mass.", "Demyelinating lesions of the pons."),
        ("Plaques in the periventricular area.", "Demyelinating lesions."),
        ("The lateral ventricles are markedly enlarged.", "Hydrocephalus."),
        ("A plate and six screws bridge the ulna.", "Internal fixation hardware."),
        ("The cord is flattened by a disc.", "Cord compression."),
        ("Liver is hyperechoic.", "Diffuse fatty infiltration of the liver."),
        ("The CBD is dilated at 12 mm.", "Biliary ductal dilatation."),
        ("A cluster of microcalcifications.", "Grouped calcifications."),
        ("7 mm uncalcified nodule.", "7 mm non calcified nodule."),
        ("C5-C7 ACDF.", "Fusion of C5-C7."),
        ("Right total knee replacement.", "Right knee arthroplasty."),
        ("Scattered T2 hyperintensities in the white matter.", "Microvascular ischemic change."),
        ("Opacification of the ethmoids.", "Sinusitis."),
        ("L5 is 5 mm anterior to S1.", "Grade 1 spondylolisthesis."),
        ("The right diaphragm is high.", "Elevated right hemidiaphragm."),
        ("Hazy opacities in both lungs.", "Ground-glass opacities."),
        ("A bulky, diffusely enlarged thyroid.", "Goiter."),
        ("Fluid levels in both maxillary sinuses.", "Acute sinusitis."),
        ("The left nipple is drawn inward.", "Left nipple retraction."),
        ("L4 is displaced forward on L5 by 3 mm.", "3 mm anterolisthesis of L4."),
        ("The Achilles tendon is thick and heterogeneous.", "Achilles tendinosis."),
        ("Low attenuation of the whole liver.", "Hepatic steatosis."),
        ("Foci of high signal in the white matter.", "Chronic small vessel disease."),
        ("Airspace disease at the base.", "Airspace disease, may represent edema or infection."),
    ],
)
def test_what_a_radiologist_would_sum_up_so_is_no_fault(text: str, draft: str) -> None:
    assert find_unsupported(findings_of(text), draft) is None


@pytest.mark.parametrize(
    ("text", "draft", "reason"),
    [
        ("Small left pneumothorax. Rib fracture.", "Rib fracture.", "left_out_pneumothorax"),
        ("There are filling defects in both lungs.", "Effusion.", "left_out_embolism"),
        ("The left pulmonary artery shows a filling defect.", "Effusion.", "left_out_embolism"),
        (
            "Gallbladder stones; filling defects in the pulmonary arteries.",
            "Gallstones.",
            "left_out_embolism",
        ),
        (
            "Filling defect in the right pulmonary artery and thickening of the bowel.",
            "Bowel thickening.",
            "left_out_embolism",
        ),
        ("The basilar artery is occluded.", "Sinusitis.", "left_out_infarct"),
        ("A filling defect at the basilar tip.", "Sinusitis.", "left_out_infarct"),
        ("The left M1 is occluded.", "Chronic microvascular ischemia.", "left_out_infarct"),
        ("Filling defects in basilar segmental arteries.", "Emphysema.", "left_out_embolism"),
        (
            "Filling defect in the pulmonary artery and stenosis of the left vertebral artery.",
            "Left vertebral artery stenosis.",
            "left_out_embolism",
        ),
        ("Occlusion of the left middle cerebral artery.", "Effusion.", "left_out_infarct"),
        ("An occlusive filling defect in the pulmonary trunk.", "Effusion.", "left_out_embolism"),
        ("The pneumothorax has not been shown to resolve.", "Effusion.", "left_out_pneumothorax"),
        ("The 5 cm mass has not shown any growth.", "Effusion.", "left_out_mass"),
        ("There is a pneumothorax that was not seen before.", "Effusion.", "left_out_pneumothorax"),
        ("The appendix is dilated to 12 mm.", "12 mm appendicolith.", "left_out_appendicitis"),
        ("Free intraperitoneal air.", "No acute abnormality.", "left_out_free_air"),
        ("Subdural hematoma.", "No pneumothorax, no hematoma.", "left_out_hemorrhage"),
        ("A 3 cm mass in the liver.", "Ascites.", "left_out_mass"),
    ],
)
def test_what_cannot_wait_is_missed_in_a_draft_without_it(
    text: str, draft: str, reason: str
) -> None:
    fault = find_left_out(findings_of(text), draft)

    assert fault is not None
    assert fault.reason == reason


@pytest.mark.parametrize(
    ("text", "draft"),
    [
        ("Occlusion of the left internal carotid artery.", "Left ICA occlusion."),
        ("Occlusion of the middle cerebral artery.", "Large vessel occlusion on the right."),
        ("The basilar artery is occluded by thrombus.", "Basilar artery thrombosis."),
        ("Abrupt cutoff of the middle cerebral artery.", "Acute infarct of the left insula."),
    ],
)
def test_an_occluded_artery_may_be_told_in_other_words(text: str, draft: str) -> None:
    assert find_left_out(findings_of(text), draft) is None


@pytest.mark.parametrize(
    "text",
    [
        "No pneumothorax.",
        "Old healed rib fracture.",
        "The mass is unchanged.",
        "A fracture cannot be excluded.",
        "Nondisplaced sutures.",
        "Small effusion.",
        "Filling defects within the urinary bladder.",
        "A filling defect in the right ureter.",
        "A non-occlusive plaque of the left internal carotid artery.",
        "A coiled aneurysm of the tip and an occluder in the heart, cerebral arteries patent.",
        "Occlusion of the splenic vein with collaterals along the vertebral column.",
        "The basilar segmental bronchi are occluded by mucus.",
        "Chronic occlusion of the left carotid artery.",
        "No occlusion of the carotid or vertebral arteries.",
        "The lungs are clear of consolidation, pneumothorax, or effusion.",
        "If there is concern for fracture, consider rib series.",
    ],
)
def test_what_is_denied_old_or_doubtful_may_be_left_out(text: str) -> None:
    assert find_left_out(findings_of(text), "Effusion.") is None


def test_a_language_without_a_vocabulary_is_not_judged() -> None:
    findings = findings_of("Nessuno pneumotorace.", "it")

    assert find_unsupported(findings, "Pneumotorace.") is None
    assert find_left_out(findings_of("Frattura, fracture.", "it"), "Versamento.") is None


# Said by their signs, or denied in their own ways: each summary is one that a radiologist may give.
@pytest.mark.parametrize(
    ("language", "text", "draft"),
    [
        ("de", "Flächige Transparenzminderung, Randwinkel nicht frei.", "Pneumonie mit Erguss."),
        ("de", "Wurmfortsatz auf 11 mm aufgetrieben.", "Akute Appendizitis."),
        ("de", "Die V. poplitea ist nicht komprimierbar.", "Thrombose der V. poplitea."),
        ("de", "Wanddicke der Gallenblase 6 mm, mehrere Reflexe.", "Cholezystitis, Gallensteine."),
        ("de", "Apikal links schmaler Luftsaum.", "Pneumothorax links."),
        ("de", "Herz nicht vergrößert. Kein Infiltrat.", "Kein Infiltrat, kein Erguss."),
        ("de", "Minderbelüftung basal.", "Minderbelüftung basal, Pneumonie möglich."),
        ("de-AT", "Meniskusriss medial.", "Innenmeniskusläsion."),
        ("fr", "Émoussement du cul-de-sac gauche.", "Épanchement pleural gauche."),
        ("fr", "Perte de hauteur de L1.", "Fracture-tassement de L1."),
        ("fr", "Foie hyperéchogène.", "Stéatose hépatique."),
        ("fr", "Hypodensité du territoire sylvien.", "AVC ischémique sylvien."),
        ("fr", "Pas de modification de l'épanchement.", "Épanchement stable."),
        ("es", "Borramiento del seno costofrénico.", "Derrame pleural."),
        ("es", "Líquido libre de gran cuantía.", "Ascitis."),
        ("es", "Menisco interno roto.", "Rotura del menisco interno."),
        ("es", "Asas dilatadas con niveles.", "Obstrucción intestinal."),
        ("ro", "Indice cardiotoracic 0,6. Hiluri mărite.", "Cardiomegalie, stază pulmonară."),
        ("ro", "Vena poplitee este necompresibilă.", "Tromboză venoasă."),
        ("ro", "Lichid liber în pelvis.", "Ascită."),
        ("zh-Hans", "肝实质密度普遍减低。", "脂肪肝。"),
        ("zh", "L1椎体变扁，呈高信号。", "L1椎体压缩性骨折。"),  # noqa: RUF001 - Chinese
        ("zh", "右乳见无回声区，边界清晰。", "右乳囊肿。"),  # noqa: RUF001 - Chinese
    ],
)
def test_what_a_radiologist_would_sum_up_so_elsewhere_is_no_fault(
    language: str, text: str, draft: str
) -> None:
    assert find_unsupported(findings_of(text, language), draft) is None


@pytest.mark.parametrize(
    ("language", "text", "draft", "reason"),
    [
        ("de", "Kein Pneumothorax. Herz normal groß.", "Pneumothorax links.", "denied_by_findings"),
        ("de", "Pneumothorax: keiner.", "Pneumothorax.", "denied_by_findings"),
        ("de", "Gallenblase unauffällig.", "Akute Cholezystitis.", "not_in_findings"),
        ("de", "Leber: regelrecht.", "Leberzirrhose.", "not_in_findings"),
        ("de", "Kein Infiltrat.", "Minderbelüftung, Pneumonie möglich.", "denied_by_findings"),
        ("fr", "Pas d'épanchement pleural.", "Épanchement pleural.", "denied_by_findings"),
        ("fr", "Vésicule sans anomalie.", "Cholécystite aiguë.", "not_in_findings"),
        ("es", "Sin derrame pleural.", "Derrame pleural.", "denied_by_findings"),
        ("zh", "双侧胸腔未见积液及积气。L1变扁。", "左侧气胸。", "not_in_findings"),
        ("zh", "未见骨折及脱位。", "左侧肱骨骨折。", "denied_by_findings"),
        ("ro", "Nu se evidențiază pneumotorax.", "Pneumotorax.", "denied_by_findings"),
        ("ro", "Colecist fără modificări.", "Colecistită acută.", "not_in_findings"),
        ("es", "Riñones de tamaño normal.", "Hidronefrosis izquierda.", "not_in_findings"),
    ],
)
def test_a_finding_that_the_report_does_not_state_is_found_elsewhere(
    language: str, text: str, draft: str, reason: str
) -> None:
    fault = find_unsupported(findings_of(text, language), draft)

    assert fault is not None
    assert fault.reason == reason


@pytest.mark.parametrize(
    ("language", "text", "reason"),
    [
        ("de", "Schmaler Pneumothorax links.", "left_out_pneumothorax"),
        ("de", "Appendix auf 12 mm verdickt.", "left_out_appendicitis"),
        ("fr", "Défaut de remplissage de l'artère lobaire.", "left_out_embolism"),
        ("fr", "Fracture non déplacée de l'arc postérieur.", "left_out_fracture"),
        ("es", "Aire libre intraperitoneal.", "left_out_free_air"),
        ("es", "Hematoma subdural derecho.", "left_out_hemorrhage"),
        ("de", "Pneumothorax: keiner.", None),
        ("de", "Alte Rippenfraktur links.", None),
        ("de", "Eine Fraktur ist nicht sicher auszuschließen.", None),
        ("fr", "Séquelle de fracture costale.", None),
        ("es", "Fractura antigua consolidada.", None),
        ("es", "Neumotórax: no.", None),
        ("ro", "Fractură de perete anterior, fără deplasare.", "left_out_fracture"),
        ("ro", "Fractură veche consolidată.", None),
        ("zh", "右侧少量气胸。", "left_out_pneumothorax"),
        ("zh", "气胸：无。", None),  # noqa: RUF001 - Chinese
        ("zh", "左侧第5肋骨陈旧性骨折。", None),
    ],
)
def test_only_what_cannot_wait_is_missed_elsewhere(
    language: str, text: str, reason: str | None
) -> None:
    fault = find_left_out(findings_of(text, language), "—")

    assert (fault and fault.reason) == reason
