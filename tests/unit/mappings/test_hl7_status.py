"""OBX-11 and OBR-25."""

from __future__ import annotations

import pytest

from mappings import hl7_status
from mappings.domain import ReportStatus
from mappings.hl7_status import (
    choose_furthest,
    choose_status,
    is_withdrawn,
    read_observation_status,
)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("F", "final"),
        ("Final", "final"),
        ("U", "final"),
        ("P", "preliminary"),
        ("Prelim", "preliminary"),
        (" wet  read ", "preliminary"),
        ("R", "partial"),
        ("S", "partial"),
        ("C", "corrected"),
        ("A", "amended"),
        ("X", "cancelled"),
        ("D", "entered-in-error"),
        ("W", "entered-in-error"),
        ("I", "registered"),
    ],
)
def test_letters_and_words_of_obx_11_are_read(word: str, status: str) -> None:
    assert read_observation_status(word) == status


def test_an_unknown_word_is_no_status() -> None:
    assert read_observation_status("") is None
    assert read_observation_status("Q?") is None


def test_the_furthest_line_that_stands_speaks_for_the_report() -> None:
    preliminary, final = ReportStatus.PRELIMINARY, ReportStatus.FINAL
    withdrawn = ReportStatus.ENTERED_IN_ERROR

    assert choose_status([preliminary, final, None], "") is final
    assert choose_status([final, ReportStatus.CORRECTED], "F") is ReportStatus.CORRECTED
    assert choose_status([preliminary, withdrawn], "") is preliminary
    assert choose_status([withdrawn, withdrawn], "F") is withdrawn


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("F", "final"),
        ("A", "partial"),
        ("S", "registered"),
        ("Wet Read", "preliminary"),
        ("", None),
    ],
)
def test_obr_25_speaks_when_the_lines_are_silent(word: str, status: str | None) -> None:
    assert choose_status([None], word) == status
    assert choose_status([], word) == status


def test_obr_25_overrules_a_final_text_only_with_a_later_fate() -> None:
    assert choose_status([ReportStatus.FINAL], "C") is ReportStatus.CORRECTED
    assert choose_status([ReportStatus.FINAL], "P") is ReportStatus.FINAL
    assert choose_status([ReportStatus.PRELIMINARY], "F") is ReportStatus.PRELIMINARY
    assert choose_status([ReportStatus.PRELIMINARY], "X") is ReportStatus.CANCELLED


def test_cancelled_and_wrong_lines_are_withdrawn() -> None:
    assert is_withdrawn(ReportStatus.CANCELLED)
    assert is_withdrawn(ReportStatus.ENTERED_IN_ERROR)
    assert not is_withdrawn(ReportStatus.FINAL)
    assert not is_withdrawn(None)


def test_the_words_of_a_site_win_over_the_shipped_ones() -> None:
    own = {
        ("OBX-11", "VIDIERT"): ReportStatus.FINAL,
        ("any", "F"): ReportStatus.PRELIMINARY,
        ("OBR-25", "STORNO"): ReportStatus.CANCELLED,
    }

    assert read_observation_status("vidiert", own) is ReportStatus.FINAL
    assert read_observation_status("F", own) is ReportStatus.PRELIMINARY
    assert read_observation_status("C", own) is ReportStatus.CORRECTED
    assert read_observation_status("STORNO", own) is None
    assert choose_status([ReportStatus.FINAL], "Storno", own) is ReportStatus.CANCELLED


def test_a_line_that_went_back_to_the_field_does_not_hide_the_word() -> None:
    assert read_observation_status("F\nPage 1 of 2") is ReportStatus.FINAL


def test_of_parts_the_furthest_that_stands_speaks() -> None:
    preliminary, final = ReportStatus.PRELIMINARY, ReportStatus.FINAL

    assert choose_furthest([preliminary, None, final, ReportStatus.CANCELLED]) is final
    assert choose_furthest([None, ReportStatus.CANCELLED]) is ReportStatus.CANCELLED
    assert choose_furthest([]) is None


def test_a_field_of_megabytes_is_not_kept_in_memory() -> None:
    kept = hl7_status._read_shipped.cache_info().currsize

    assert read_observation_status("F" * 100_000) is None
    assert hl7_status._read_shipped.cache_info().currsize == kept
