"""A site proposed from sample messages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mappings import site_learning
from mappings.hl7_batch import split_messages
from mappings.site_coverage import measure
from mappings.site_learning import learn
from mappings.site_reading import SITE_FILE, parse_site
from mappings.sites import SiteSet
from tests.unit.mappings.feed_samples import NAMES, feed, feed_message

if TYPE_CHECKING:
    from mappings.site_learning import Proposal
    from mappings.sites import Site

REAL_SHAPED = Path(__file__).parents[4] / "shared" / "data" / "hl7"


def read_back(proposal: Proposal) -> Site:
    files = dict(proposal.files)
    return parse_site(proposal.draft.name, files.pop(SITE_FILE), files)


def test_the_ways_of_a_feed_are_learned_and_understood_afterwards() -> None:
    (proposal,) = learn(feed())

    assert proposal.draft.language == "de"
    assert proposal.draft.accession == ("OBR-19",)
    assert proposal.before.found["findings"] == proposal.before.found["accession"] == 0
    known = {name: proposal.after.found[name] for name in ("findings", "accession")}
    assert known == {"findings": 12, "accession": 12}
    assert proposal.after.found["report_status"] == 12
    assert proposal.refused == ()
    assert proposal.unknown_headings == {"ANFORDERUNG": 12}


def test_the_proposed_files_make_a_site_that_takes_the_sender_and_nobody_else() -> None:
    (proposal,) = learn(feed())
    sites = SiteSet((read_back(proposal),))

    assert sites.match("ANNARIS", "ST-ANNA").name == "st-anna-annaris"
    assert sites.match("ANNARIS2", "ST-ANNA").name == "default"
    assert measure(feed(), sites)[0].found == proposal.after.found
    assert set(proposal.files) == {
        "site.yaml",
        "exams.csv",
        "obx3.csv",
        "headings.csv",
        "status_words.csv",
    }


def test_nothing_of_a_patient_stands_in_what_is_proposed() -> None:
    (proposal,) = learn(feed())
    told = repr(proposal) + "".join(proposal.files.values())

    for value in (*NAMES, "A90000", "P500", "Lunge", "DOKTORIN"):
        assert value not in told


def test_each_sender_gets_a_folder_of_its_own_the_largest_first() -> None:
    messages = [
        *feed(2),
        *[feed_message(n, application="B*S", facility="") for n in range(3)],
        feed_message(9, application="", facility=""),
        feed_message(9, application="", facility="DEFAULT"),
    ]

    proposals = learn(messages)

    assert [one.draft.name for one in proposals] == [
        "b-s",
        "st-anna-annaris",
        "default",
        "default-site",
    ]
    assert read_back(proposals[0]).applications == ("B[*]S",)
    assert read_back(proposals[2]).name == "default"


def test_senders_with_names_alike_do_not_share_a_folder() -> None:
    messages = [feed_message(0, application=name, facility="") for name in ("A.B", "A B", "A-B")]

    assert {one.draft.name for one in learn(messages)} == {"a-b", "a-b-2", "a-b-3"}


def test_a_guess_that_would_know_less_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_learning, "guess_headings", lambda _: {"FINDINGS": "technique"})
    monkeypatch.setattr(site_learning, "guess_accession", lambda _: ("OBR-7",))
    headed = [feed_message(number, text="FINDINGS: The lungs are clear.") for number in range(6)]

    (proposal,) = learn([one.replace(b"Eva||", b"Eva||N%d-" % n) for n, one in enumerate(headed)])

    assert proposal.refused == ("accession", "headings")
    assert (proposal.draft.accession, proposal.draft.headings) == ((), {})
    assert proposal.after.is_at_least(proposal.before)
    assert proposal.after.found["findings"] == 6


def test_what_holds_no_radiology_report_proposes_nothing() -> None:
    assert learn([b"x", feed_message(0).replace(b"ORU^R01", b"ADT^A01")]) == []


@pytest.mark.skipif(not REAL_SHAPED.is_dir(), reason="the shared data are not beside the project")
def test_real_shaped_feeds_are_understood_no_less_with_what_was_learned() -> None:
    files = sorted(REAL_SHAPED.glob("*.hl7"))
    messages = [one for file in files for one in split_messages(file.read_bytes())]

    proposals = learn(messages)

    largest = proposals[0]
    assert (largest.draft.name, largest.before.reports) == ("abchosp-someris", 36)
    assert largest.draft.accession[0] == "OBR-3"
    assert all(one.after.is_at_least(one.before) for one in proposals)
    for proposal in proposals:
        assert read_back(proposal).name == proposal.draft.name
