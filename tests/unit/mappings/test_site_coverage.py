"""How much of sample messages is understood."""

from __future__ import annotations

from mappings.domain import ReportStatus
from mappings.site_coverage import MEASURES, Coverage, measure
from mappings.sites import Site, SiteSet
from tests.unit.mappings.feed_samples import feed, feed_message


def test_what_a_site_knows_is_counted_by_report() -> None:
    site = Site(
        "anna",
        applications=("ANNARIS",),
        accession_fields=("OBR-19",),
        observation_codes={"BER": "body"},
        status_words={("OBR-25", "PRELIM-DIKTIERT"): ReportStatus.PRELIMINARY},
        language="de",
    )

    (coverage,) = measure(feed(8), SiteSet((site,)))

    assert (coverage.site, coverage.messages, coverage.reports) == ("anna", 8, 8)
    assert coverage.found["accession"] == coverage.found["report_status"] == 8
    assert coverage.found["exam_modality"] == coverage.found["exam_region"] == 6
    assert coverage.unknown == {
        "exam_codes": {"4799": 2},
        "observation_codes": {"HIN": 8},
        "status_words": {"PRELIM-DIKTIERT": 8},
    }


def test_a_number_that_is_the_exams_or_two_patients_is_no_accession_number() -> None:
    (of_exam,) = measure(feed(4), SiteSet())
    shared = [one.replace(b"|4711|A90000", b"|B77|A90000") for one in (feed(5)[0], feed(5)[4])]
    (of_two,) = measure(shared, SiteSet())
    (of_one,) = measure(shared[:1], SiteSet())

    assert of_exam.found["accession"] == 0
    assert of_two.found["accession"] == 0
    assert of_one.found["accession"] == 1


def test_each_site_is_counted_by_itself_and_what_is_not_read_apart() -> None:
    site = Site("berta", applications=("B*",))
    messages = [
        feed_message(0),
        feed_message(1, application="BRIS"),
        feed_message(2).replace(b"ORU^R01", b"ADT^A01"),
        b"no message",
    ]

    unread, berta, default = measure(messages, SiteSet((site,)))

    assert (unread.site, unread.unreadable) == ("", {"not_hl7": 1})
    assert (berta.site, berta.messages, berta.reports) == ("berta", 1, 1)
    assert (default.messages, default.reports, default.others) == (2, 1, 1)


def test_the_listener_that_messages_come_by_chooses_the_site() -> None:
    sites = SiteSet((Site("anna", listeners=("ct",)),))

    assert [one.site for one in measure(feed(1), sites, "ct")] == ["anna"]
    assert [one.site for one in measure(feed(1), sites)] == ["default"]


def test_one_coverage_is_at_least_another_when_it_is_in_everything() -> None:
    less, more = Coverage("a"), Coverage("b")
    more.found["findings"] = 1

    assert more.is_at_least(less)
    assert not less.is_at_least(more)
    assert set(less.found) == set(MEASURES)
