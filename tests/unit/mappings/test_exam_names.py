"""Names of exams in seven languages."""

from __future__ import annotations

import pytest

from mappings.exam_names import NAME_CHARACTERS_MAX, ExamName, read_name
from mappings.tables import read_table


@pytest.mark.parametrize(
    ("name", "language", "expected"),
    [
        ("CT CHEST WITHOUT CONTRAST", "en", ("CT", "chest", None)),
        ("MR TOMOGRAPHY KNEE RIGHT", "en", ("MR", "musculoskeletal", "right")),
        ("Computed tomography of the head", "en", ("CT", "head", None)),
        ("CT MAXILLOFACIAL WITHOUT CONTRAST", "en", ("CT", "neck", None)),
        ("XR SINUSES", "en", ("DX", "neck", None)),
        ("Röntgen Thorax p.a. und seitlich", "de", ("DX", "chest", None)),
        ("Thoraxröntgen", "de", ("DX", "chest", None)),
        ("MRT Kniegelenk links", "de", ("MR", "musculoskeletal", "left")),
        ("Kernspintomographie LWS", "de-AT", ("MR", "spine", None)),
        ("Oberbauchsonographie", "de", ("US", "abdomen", None)),
        ("RÖ HAND RE", "de", ("DX", "musculoskeletal", "right")),
        ("Mammographie beidseits", "de", ("MG", "breast", "bilateral")),
        ("IRM du genou gauche", "fr", ("MR", "musculoskeletal", "left")),
        ("Scanner thoracique", "fr", ("CT", "chest", None)),
        ("Radiographie de la main droite", "fr", ("DX", "musculoskeletal", "right")),
        ("Échographie abdominale", "fr", ("US", "abdomen", None)),
        ("TC de cráneo", "es", ("CT", "head", None)),
        ("Radiografía de tórax", "es", ("DX", "chest", None)),
        ("Resonancia magnética de rodilla izquierda", "es", ("MR", "musculoskeletal", "left")),
        ("RM columna lumbar", "es", ("MR", "spine", None)),
        ("Tomografía computarizada de abdomen", "es", ("CT", "abdomen", None)),
        ("Radiografie torace", "ro", ("DX", "chest", None)),
        ("RMN genunchi stâng", "ro", ("MR", "musculoskeletal", "left")),
        ("CT coloană lombară", "ro", ("CT", "spine", None)),
        ("Ecografie șold drept", "ro", ("US", "musculoskeletal", "right")),
        ("胸部CT平扫", "zh", ("CT", "chest", None)),
        ("左膝关节磁共振", "zh", ("MR", "musculoskeletal", "left")),
        ("颈椎X线正侧位", "zh", ("DX", "spine", None)),
        ("双侧乳腺彩超", "zh", ("US", "breast", "bilateral")),
        ("頭部ＣＴ", "ja", ("CT", "head", None)),
        ("胸部X線単純撮影", "ja", ("DX", "chest", None)),
        ("右肩関節MRI", "ja", ("MR", "musculoskeletal", "right")),
        ("ﾏﾝﾓｸﾞﾗﾌｨ", "ja", ("MG", "breast", None)),
        ("マンモグラフィ", "ja", ("MG", "breast", None)),
        ("Radiology Event", "en", (None, None, None)),
        ("Glukose", "de", (None, None, None)),
        ("", "en", (None, None, None)),
    ],
)
def test_words_tell_modality_region_and_side(
    name: str, language: str, expected: tuple[str | None, ...]
) -> None:
    assert read_name(name, language) == expected


def test_a_word_that_means_something_else_elsewhere_counts_for_its_language_only() -> None:
    assert read_name("MAIN", "fr").region == "musculoskeletal"
    assert read_name("CT of the main stem", "en").region is None
    assert read_name("CT Kopf re", "de").laterality == "right"
    assert read_name("CT re evaluation", "en").laterality is None


def test_what_is_no_word_of_an_exam_is_left_alone() -> None:
    assert read_name("D'OCCASION", "fr") == ExamName()
    assert read_name("手术", "zh") == ExamName()


def test_a_long_name_is_read_at_its_beginning_only() -> None:
    assert read_name(" " * NAME_CHARACTERS_MAX + "CT").modality is None


def test_each_word_of_the_table_says_one_thing() -> None:
    rows = read_table("exam_words")
    keys = [(row["word"], row["kind"].split("_")[0], row["language"], row["match"]) for row in rows]

    assert sorted(keys) == sorted(set(keys))
    assert {row["match"] for row in rows} == {"word", "part"}
    assert {row["language"] for row in rows} <= {"", "de", "fr", "es", "ro", "zh", "ja"}


def test_each_word_is_found_as_it_is_written() -> None:
    # An accent or a small letter in the table would never be looked for.
    lost = [
        row["word"]
        for row in read_table("exam_words")
        if row["value"]
        not in read_name(("Q" * 7 if row["match"] == "part" else "") + row["word"], row["language"])
    ]

    assert lost == []
