"""Bytes to text by MSH-18."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.charset import DECLARED_WRONG, decode_message, find_codec, refusal_reason
from mappings.errors import UnreadableContentError
from mappings.hl7_oru import parse_oru
from mappings.hl7_separators import Separators
from mappings.sites import Site, SiteSet
from tests.unit.mappings.charset_samples import SAMPLES, Sample, has_hidden_separator

CHINESE = "双肺纹理清晰。未见明确实变影。心影大小正常。"
TABLE_0211 = [
    ("ASCII", "ascii"),
    *((f"8859/{part}", f"iso8859-{part}") for part in (*range(1, 10), 15)),
    ("ISO IR6", "ascii"),
    ("ISO IR14", "cp932"),
    ("ISO IR87", "iso2022_jp"),
    ("ISO IR159", "iso2022_jp"),
    ("JAS2020", "ascii"),
    ("JIS X 0202", "iso2022_jp"),
    ("GB 18030-2000", "gb18030"),
    ("KS X 1001", "cp949"),
    ("BIG-5", "cp950"),
    ("UNICODE", "utf-8"),
    ("UNICODE UTF-8", "utf-8"),
]
CODECS = {codec for _, codec in TABLE_0211} | {"cp1252", "big5hkscs"}
FIELD_SPELLINGS = [
    ("UTF8", "utf-8"),
    ("utf-8", "utf-8"),
    ("UNICODE_UTF-8", "utf-8"),
    ("UNICODE(UTF-8)", "utf-8"),
    ("ISO-8859-1", "iso8859-1"),
    ("ISO8859/1", "iso8859-1"),
    ("ISO_8859-1:1987", "iso8859-1"),
    ("iso88591", "iso8859-1"),
    ("LATIN-1", "iso8859-1"),
    ("WINDOWS-1252", "cp1252"),
    ("CP1252", "cp1252"),
    ("win1251", "cp1251"),
    ("ISO IR100", "iso8859-1"),
    ("ISO_IR 192", "utf-8"),
    ("ISO 2022 IR 87", "iso2022_jp"),
    ("ISO 2022 IR 6", "ascii"),
    ("ISO_IR 13", "cp932"),
    ("Shift_JIS", "cp932"),
    ("X-SJIS", "cp932"),
    ("MS932", "cp932"),
    ("GB2312", "gb18030"),
    ("GBK", "gb18030"),
    ("CP936", "gb18030"),
    ("EUC-KR", "cp949"),
    ("KS_C_5601-1987", "cp949"),
    ("MS949", "cp949"),
    ("Big5-HKSCS", "big5hkscs"),
    ("CP950", "cp950"),
]


def where_unreadable(payload: bytes, *declared: str) -> str:
    with pytest.raises(UnreadableContentError) as caught:
        decode_message(payload, declared)
    return f"{caught.value.reason} {caught.value.where}"


@pytest.mark.parametrize(("declared", "codec"), [*TABLE_0211, *FIELD_SPELLINGS])
def test_names_of_table_0211_of_the_field_and_of_dicom_find_their_codec(
    declared: str, codec: str
) -> None:
    assert find_codec(declared) == codec
    assert refusal_reason(declared) is None
    assert "x".encode(codec).decode(codec) == "x"


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ("UTF-16", "charset_not_framable"),
        ("UNICODE UTF-16", "charset_not_framable"),
        ("UNICODE UTF-32", "charset_not_framable"),
        ("CNS 11643-1992", "unsupported_charset"),
        ("8859/12", "unsupported_charset"),
        ("?", "unsupported_charset"),
    ],
)
def test_a_character_set_that_cannot_be_framed_or_read_is_refused_by_its_own_reason(
    declared: str, reason: str
) -> None:
    assert find_codec(declared) is None
    assert refusal_reason(declared) == reason
    assert where_unreadable(b"x", declared) == f"{reason} MSH-18"


def test_undeclared_text_is_utf_8_and_else_windows_1252() -> None:
    assert decode_message("é".encode(), ("",)) == ("é", "utf-8", None)
    assert decode_message(b"\x80 5 mm", (" ",)) == ("€ 5 mm", "cp1252", None)
    assert decode_message(b"plain", ()) == ("plain", "utf-8", None)


def test_a_site_says_what_undeclared_text_is() -> None:
    payload = CHINESE.encode("gb18030")

    assert decode_message(payload, ("",), undeclared=("utf-8", "gb18030"))[:2] == (
        CHINESE,
        "gb18030",
    )


def test_undeclared_bytes_that_a_codec_does_not_know_go_to_the_next_one() -> None:
    decoded = decode_message(b"\x81 5 mm", ("",), undeclared=("utf-8", "cp1252", "cp437"))

    assert decoded.codec == "cp437"
    assert where_unreadable(b"MSH|^~\\&|\x81", "") == "undecodable_content MSH[1]-3"


@pytest.mark.parametrize("declared", ["ASCII", "8859/1", "8859/2", "8859/5", "8859/15", "CP1252"])
def test_utf_8_that_is_declared_as_something_else_is_read_as_utf_8_and_said(declared: str) -> None:
    decoded = decode_message("Größe 5 µm, naïve".encode(), (declared,))

    assert decoded == ("Größe 5 µm, naïve", "utf-8", DECLARED_WRONG)


@pytest.mark.parametrize("declared", ["GB 18030-2000", "BIG-5", "ISO IR14", "KS X 1001"])
def test_utf_8_that_is_declared_as_a_double_byte_set_is_proven_by_many_characters(
    declared: str,
) -> None:
    decoded = decode_message(CHINESE.encode(), (declared,))

    assert decoded == (CHINESE, "utf-8", DECLARED_WRONG)


@pytest.mark.parametrize(
    ("text", "declared", "codec"),
    [
        ("Größe", "8859/1", "iso8859-1"),
        ("Лёгкие чистые", "8859/5", "iso8859-5"),
        ("Πνεύμονες καθαροί", "8859/7", "iso8859-7"),
        ("ยก", "8859/11", "iso8859-11"),  # as bytes, UTF-8 too
        (CHINESE, "GB 18030-2000", "gb18030"),
        ("폐야는 깨끗하다", "KS X 1001", "cp949"),
        ("똠방각하", "KS X 1001", "cp949"),  # beyond EUC-KR: what Windows writes
        ("肺部清晰許功蓋", "BIG-5", "cp950"),
        ("①肺野に異常なし", "ISO IR14", "cp932"),
    ],
)
def test_text_that_is_what_was_declared_is_not_doubted(
    text: str, declared: str, codec: str
) -> None:
    assert decode_message(text.encode(codec), (declared,)) == (text, codec, None)


def test_big_5_of_hong_kong_is_read_too() -> None:
    payload = "嘅咗啲".encode("big5hkscs")

    assert decode_message(payload, ("BIG-5",)) == ("嘅咗啲", "big5hkscs", None)


def test_quotes_and_marks_of_windows_under_the_name_of_latin_1_are_read() -> None:
    decoded = decode_message("Size 4 † 5 mm “stable”".encode("cp1252"), ("8859/1",))

    assert decoded == ("Size 4 † 5 mm “stable”", "cp1252", DECLARED_WRONG)
    assert decode_message(b"\x81", ("8859/1",)).codec == "iso8859-1"


def test_what_cannot_be_read_is_located_by_field_and_never_quoted() -> None:
    head = b"MSH|^~\\&|A\rPID|1||T1\rOBX|1|TX|&GDT||fine\r"

    assert where_unreadable(head + b"OBX|2|TX|&GDT||caf\xe9|", "UNICODE UTF-8") == (
        "undecodable_content OBX[2]-5"
    )
    assert where_unreadable(head + b"caf\xe9|", "ASCII") == "undecodable_content OBX[1]-5"
    assert where_unreadable(head + b"ZQX|\xe9", "ASCII") == "undecodable_content segment[4]"
    assert where_unreadable(b"\xe9", "ASCII") == "undecodable_content MSH"


def test_the_place_follows_the_senders_own_separators() -> None:
    separators = Separators("#", "*", "+", "!", "@")

    with pytest.raises(UnreadableContentError, match=r"undecodable_content at PID\[1\]-5"):
        decode_message(b"MSH#*+!@\rPID#1##2##\xe9", ("UTF-8",), separators=separators)


def test_nuls_are_no_text() -> None:
    assert decode_message(b"\x00MSH|\x00\r\x00", ("ASCII",)).text == "MSH|\r"


def test_a_later_repetition_is_switched_to() -> None:
    kanji = "肺野".encode("iso2022_jp")

    assert decode_message(kanji, ("", "ISO IR87")) == ("肺野", "iso2022_jp", None)
    assert decode_message(kanji, ("ASCII", "ISO IR87")) == ("肺野", "iso2022_jp", None)
    assert decode_message(kanji, ("ISO IR87",)) == ("肺野", "iso2022_jp", None)
    assert decode_message(kanji, ("",)) == ("肺野", "utf-8", None)
    assert decode_message("é".encode() + kanji, ("UTF-8", "ISO IR87")).text == "é肺野"
    hl7 = b"a\\M2442\\" + kanji[3:-3] + b"\\C2842\\b"
    assert decode_message(hl7, ("8859/1", "ISO IR87")) == ("a肺野b", "iso8859-1", None)


def test_without_a_second_set_a_switch_is_text_like_any_other() -> None:
    assert decode_message(b"\\C2D4C\\ a", ("8859/1",)).text == "\\C2D4C\\ a"


def test_korean_with_shifts_is_read() -> None:
    payload = "MSH 폐 ok".encode("iso2022_kr")

    assert decode_message(payload, ("ISO-2022-KR",)).text == "MSH 폐 ok"


@pytest.mark.parametrize("codec", ["gb18030", "cp950", "big5hkscs", "cp932", "iso2022_jp"])
def test_second_bytes_that_look_like_separators_are_letters(codec: str) -> None:
    declared = {"cp950": "BIG-5", "cp932": "ISO IR14", "iso2022_jp": "ISO IR87"}.get(codec, codec)
    wanted = set() if codec == "big5hkscs" else {0x5C, 0x5E, 0x7C, 0x7E}
    text = ""
    for point in range(0x4E00, 0x9FA5):
        with_mark = set(_encoded(chr(point), codec)[-1:]) & {0x5C, 0x5E, 0x7C, 0x7E}
        if with_mark:
            wanted -= with_mark
            text += chr(point)

    assert not wanted
    assert len(text) > 50
    assert decode_message(text.encode(codec), (declared,)).text == text


def _encoded(character: str, codec: str) -> bytes:
    try:
        encoded = character.encode(codec)
    except UnicodeEncodeError:
        return b""
    return encoded[3:-3] if codec == "iso2022_jp" else encoded


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.declared}-{sample.codec}")
def test_a_report_whose_letters_look_like_separators_comes_out_right(sample: Sample) -> None:
    result = parse_oru(sample.render(), SiteSet())
    (report,) = result.reports

    assert has_hidden_separator(sample) == (sample.codec not in {"euc_kr", "cp949"})
    assert not result.warnings
    assert report.sections.findings == f"{sample.findings}\nEnd of text."
    assert report.patient is not None
    assert (report.patient.value, report.exam.display) == ("T1", sample.exam)
    assert report.filler_order_number is not None
    assert report.filler_order_number.value == f"{sample.codec}-1"


def test_a_sites_codecs_read_what_it_does_not_declare() -> None:
    sample = SAMPLES[0]._replace(declared="")
    sites = SiteSet((Site("default", undeclared_codecs=("utf-8", "gb18030")),))

    result = parse_oru(sample.render(), sites)

    assert result.codec == "gb18030"
    assert (result.reports[0].sections.findings or "").startswith(sample.findings)


def test_what_is_declared_wrong_is_said_of_the_message() -> None:
    sample = SAMPLES[0]._replace(declared="8859/1", codec="utf-8")

    result = parse_oru(sample.render(), SiteSet())

    assert (result.codec, *result.warnings) == ("utf-8", DECLARED_WRONG)
    assert (result.reports[0].sections.findings or "").startswith(sample.findings)


@given(st.binary(max_size=200), st.sampled_from([row[0] for row in TABLE_0211]))
def test_any_bytes_are_read_or_refused(payload: bytes, declared: str) -> None:
    with contextlib.suppress(UnreadableContentError):
        decoded = decode_message(payload, (declared, "ISO IR87"))

        assert decoded.codec in CODECS
