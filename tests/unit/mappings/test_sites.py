"""Which site a sender belongs to, and what a site says of an exam."""

from __future__ import annotations

from mappings.domain import Exam, Modality, Region
from mappings.sites import DEFAULT_SITE, DraftingRule, Site, SiteSet


def test_the_first_site_that_knows_the_sender_is_chosen() -> None:
    sites = SiteSet(
        (
            Site("default", language="fr"),
            Site("b", applications=("RIS1",)),
            Site("a", applications=("RIS*",), facilities=("ANNA",)),
        )
    )

    assert sites.match("RIS1", "ANNA").name == "a"
    assert sites.match("RIS1", "OTHER").name == "b"
    assert sites.match("LAB", None).language == "fr"
    assert sites.named("b").name == "b"


def test_a_lower_order_goes_before_an_earlier_name() -> None:
    sites = SiteSet((Site("a"), Site("z", order=1, applications=("RIS1",))))

    assert sites.match("RIS1", None).name == "z"
    assert sites.match("RIS2", None).name == "a"
    assert [site.name for site in sites.all_matching("RIS1", None)] == ["z", "a"]


def test_a_site_can_be_known_by_its_listener_or_topic() -> None:
    sites = SiteSet((Site("a", listeners=("ct-*",), topics=("reports.a",)),))

    assert sites.match("RIS1", None, "ct-1").name == "a"
    assert sites.match("RIS1", None, "kafka:reports.a").name == "a"
    assert sites.match("RIS1", None, "reports.a") is DEFAULT_SITE
    assert sites.match("RIS1", None, "mr-1") is DEFAULT_SITE
    assert sites.match("RIS1", None) is DEFAULT_SITE


def test_without_sites_the_default_is_chosen() -> None:
    assert SiteSet().match("RIS1", None) is DEFAULT_SITE
    assert SiteSet().named("unknown") is DEFAULT_SITE


def test_adapter_and_style_each_come_from_the_first_rule_that_fits_and_says_one() -> None:
    site = Site(
        "a",
        drafting=(
            DraftingRule(
                modalities=frozenset({Modality.CT}),
                regions=frozenset({Region.CHEST}),
                adapter="ct-chest",
            ),
            DraftingRule(modalities=frozenset({Modality.CT}), style="Numbered list."),
            DraftingRule(adapter="general", style="One sentence."),
        ),
    )
    chest = Exam(modality=Modality.CT, region=Region.CHEST)
    head = Exam(modality=Modality.CT, region=Region.HEAD)

    assert (site.adapter_for(chest), site.style_for(chest)) == ("ct-chest", "Numbered list.")
    assert (site.adapter_for(head), site.style_for(head)) == ("general", "Numbered list.")
    assert (site.adapter_for(Exam()), site.style_for(Exam())) == ("general", "One sentence.")
    assert DEFAULT_SITE.adapter_for(chest) is None
    assert DEFAULT_SITE.style_for(chest) is None
