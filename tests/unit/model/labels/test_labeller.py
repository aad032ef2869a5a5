"""What a text names and what it denies, in each language that has words."""

from __future__ import annotations

import re

import pytest
import yaml

from model.labels.denials import folded
from model.labels.labeller import FILE, has_labels, labels, labels_of

LANGUAGES = ("en", "de", "fr", "es", "ro", "zh")


@pytest.mark.parametrize(
    ("language", "text", "named"),
    [
        ("en", "Small left pleural effusion and basal atelectasis.", {"effusion", "atelectasis"}),
        ("en", "No pneumothorax or effusion.", set()),
        ("en", "No pneumothorax, small effusion.", {"effusion"}),
        ("en", "Effusion, pneumothorax, or fracture is not identified.", set()),
        ("en", "Cardiomegaly, pneumothorax is not seen.", {"cardiomegaly"}),
        ("en", "No change in the left effusion.", {"effusion"}),
        ("en", "Pneumonia cannot be excluded.", {"opacity"}),
        ("en", "The heart is not enlarged.", set()),
        ("en", "The fracture is not displaced.", {"fracture"}),
        ("en", "No fracture but a dislocation of the shoulder.", {"dislocation"}),
        ("en", "Small pericardial effusion.", {"pericardial effusion"}),
        ("en", "Fatty infiltration of the liver.", {"hepatic steatosis"}),
        ("de", "Pleuraerguss links, kein Pneumothorax.", {"effusion"}),
        ("de", "Ein Pneumothorax ist nicht nachweisbar.", set()),
        ("de", "Eine Pneumonie kann nicht ausgeschlossen werden.", {"opacity"}),
        ("de", "Nicht dislozierte Fraktur der 5. Rippe.", {"fracture"}),
        ("de", "Keine Größenzunahme des Rundherdes.", {"lesion"}),
        ("de", "Kein Erguss, kleine Atelektase rechts basal.", {"atelectasis"}),
        ("de", "Beidseits Pleuraergüsse.", {"effusion"}),
        ("de", "Mittellinienverlagerung um 5 mm.", {"midline shift or mass effect"}),
        ("de", "Hochgradige Kalksalzminderung.", {"osteopenia"}),
        ("fr", "Pas d'épanchement pleural ni de pneumothorax.", set()),
        ("fr", "Épanchement pleural gauche sans pneumothorax.", {"effusion"}),
        ("fr", "Fracture non déplacée du radius.", {"fracture"}),
        ("fr", "Pas de modification de l’épanchement.", {"effusion"}),  # noqa: RUF001 - as typeset
        ("fr", "Aucune adénopathie mais petit nodule.", {"lesion"}),
        ("fr", "Œdème pulmonaire modéré.", {"pulmonary edema"}),
        ("es", "Sin derrame pleural ni neumotórax.", set()),
        ("es", "Fractura no desplazada del radio.", {"fracture"}),
        ("es", "Derrame pleural izquierdo, no se observa neumotórax.", {"effusion"}),
        ("es", "Cálculo de 5 mm en el riñón izquierdo.", {"urinary stone"}),
        ("es", "No se puede descartar neumonía.", {"opacity"}),
        ("zh", "左侧胸腔未见积液及积气。", set()),
        ("zh", "左乳见无回声囊肿。", {"cyst"}),
        ("zh", "桡骨骨折无明显移位，未见脱位。", {"fracture"}),  # noqa: RUF001 - Chinese
        ("zh", "肺不张不除外。", {"atelectasis"}),
        ("ro", "Fără revărsat pleural sau pneumotorax.", set()),
        ("ro", "Fractură fără deplasare de radius distal.", {"fracture"}),
        ("ro", "Lichid pleural stâng, nu se evidențiază pneumotorax.", {"effusion"}),
    ],
)
def test_findings_are_named_unless_they_are_denied(
    language: str, text: str, named: set[str]
) -> None:
    assert labels_of(text, language) == named


def test_a_report_that_is_all_normal_names_nothing() -> None:
    assert labels_of("Normal chest. No acute abnormality.") == frozenset()


def test_the_primary_language_counts() -> None:
    assert labels_of("Pleuraerguss.", "de-AT") == {"effusion"}
    assert has_labels("fr-CA")
    assert not has_labels("ja")


def test_every_label_has_words_in_every_language_that_can_be_searched() -> None:
    table = yaml.safe_load(FILE.read_text(encoding="utf-8"))

    assert all(tuple(row) == LANGUAGES for row in table.values())
    assert all(has_labels(language) for language in LANGUAGES)
    for row in table.values():
        assert all(re.compile(words).search("") is None for words in row.values())
        assert all(folded(words) == words for words in row.values()), row


def test_a_label_names_itself_in_english() -> None:
    itself = {label for label in labels() if label in labels_of(label)}

    assert set(labels()) - itself == set()
