"""What sample messages hold."""

from __future__ import annotations

from mappings.site_samples import count_by_report, count_seen, is_telling, read_samples
from tests.unit.mappings.feed_samples import feed, feed_message


def test_a_report_is_laid_out_by_its_fields_codes_and_texts() -> None:
    (sample,) = read_samples(feed_message(1))

    assert (sample.sender, sample.group) == (("ANNARIS", "ST-ANNA"), 0)
    assert (sample.codec, sample.is_charset_declared) == ("utf-8", False)
    assert sample.numbers == {"OBR-18": "4712", "OBR-19": "A900001"}
    assert (sample.exam_code, sample.exam_system) == ("4712", "ANNA")
    assert sample.result_status == "PRELIM-DIKTIERT"
    assert [(line.code, line.name, line.section) for line in sample.lines] == [
        ("BER", "Bericht", None),
        ("HIN", "Hinweis", None),
    ]
    assert "A900001\nKANARIEN:\n" in sample.text
    assert {"KANARIEN", "DOKTORIN"} <= sample.person_words


def test_an_obx_3_code_is_what_stands_after_its_ampersand() -> None:
    payload = feed_message(0).replace(b"BER^Bericht", b"4711&IMP^Bericht")
    (sample,) = read_samples(payload)

    assert (sample.lines[0].code, sample.lines[0].section) == ("IMP", "impression")


def test_a_measured_value_is_no_text() -> None:
    payload = feed_message(0).replace(b"|x||||||PRELIM", b"|7|mm|||||PRELIM")
    (sample,) = read_samples(payload)

    assert [line.is_text for line in sample.lines] == [True, False]


def test_laboratory_groups_and_other_messages_are_no_samples() -> None:
    assert not list(read_samples(feed_message(0).replace(b"ORU^R01", b"ADT^A01")))
    assert not list(read_samples(feed_message(0).replace(b"||||||PRELIM-D", b"|||||LAB|PRELIM-D")))


def test_what_may_be_somebodys_number_is_not_told() -> None:
    assert is_telling("4711", 1)
    assert is_telling("815000123", 2)
    assert not is_telling("815000123", 1)


def test_values_are_counted_by_report_most_first() -> None:
    assert count_by_report([["b", "b", ""], ["a", "b"]]) == {"b": 2, "a": 1}
    assert list(count_by_report([["b"], ["a"], ["c", "a"]])) == ["a", "b", "c"]


def test_seen_codes_and_words_are_counted_by_kind() -> None:
    messages = [*feed(4), feed_message(4, text="FINDINGS: Clear.").replace(b"BER^", b"81500012^")]
    seen = count_seen([sample for payload in messages for sample in read_samples(payload)])

    assert seen["exam_codes"] == {"4711": 2, "4712": 1, "4713": 1, "4799": 1}
    assert seen["observation_codes"] == {"HIN": 5, "BER": 4}
    assert seen["result_status"] == {"PRELIM-DIKTIERT": 5}
    assert seen["headings"] == {"FINDINGS": 1}
