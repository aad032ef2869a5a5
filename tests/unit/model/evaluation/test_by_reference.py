"""A whole comparison: parts, means over the right reports, tests against one contender."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mappings.domain import Modality
from model.corpora.schema import CorpusRow
from model.evaluation.by_reference import MEANING, TESTED, Comparison, Source, run_comparison

if TYPE_CHECKING:
    from pathlib import Path

for library in ("nltk", "numpy", "rouge_score", "sacrebleu", "scipy"):
    pytest.importorskip(library)

NORMAL, ABNORMAL = "No acute disease.", "Small left pleural effusion with atelectasis."


def report(at: int, site: str, *, is_normal: bool) -> CorpusRow:
    return CorpusRow(
        report_id=str(at),
        site=site,
        modality=Modality.DX,
        findings=f"Lungs are clear. View {at}."
        if is_normal
        else f"Small left effusion. View {at}.",
        impression=NORMAL if is_normal else ABNORMAL,
    )


REPORTS = [report(at, "north" if at < 8 else "south", is_normal=at % 2 == 0) for at in range(11)]
DRAFTS = {
    "constant": [NORMAL] * 11,
    "perfect": [one.impression for one in REPORTS],
    "crying wolf": [ABNORMAL] * 11,
}


class Length:
    """A metric of its own weights."""

    meaning = {"letters": "letters of the draft"}  # noqa: RUF012 - a stand-in

    def score(self, references: list[str], drafts: list[str]) -> dict[str, list[float]]:
        assert len(references) == len(drafts)
        return {"letters": [float(len(draft)) for draft in drafts]}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return run_comparison(
        REPORTS,
        DRAFTS,
        source=Source("made", "0" * 64),
        train=REPORTS[:4],
        metrics=[Length()],  # type: ignore[list-item]
        notes=["GREEN: not computed: weights missing"],
        against="constant",
    )


def test_missed_and_invented_each_count_their_own_reports(comparison: Comparison) -> None:
    whole = comparison.parts[0].contenders

    rates = {
        who: (one.value("missed_abnormal"), one.value("invented_abnormal"))
        for who, one in whole.items()
    }
    assert rates == {"constant": (1, 0), "perfect": (0, 0), "crying wolf": (0, 1)}
    assert whole["constant"].means["missed_abnormal"].n == 5  # type: ignore[union-attr]
    assert whole["constant"].means["invented_abnormal"].n == 6  # type: ignore[union-attr]


def test_the_perfect_drafts_are_at_the_end_of_every_scale(comparison: Comparison) -> None:
    perfect = comparison.parts[0].contenders["perfect"]

    names = [name for name in MEANING if name.startswith(("rouge", "bleu", "chrf"))]
    assert [perfect.value(name) for name in names] == pytest.approx([1.0] * len(names))
    assert perfect.value("words") == perfect.value("reference_words")


def test_parts_are_told_where_there_is_more_than_one_value(comparison: Comparison) -> None:
    assert [(part.name, part.reports) for part in comparison.parts] == [
        ("all", 11),
        ("unseen findings", 7),
        ("site north", 8),
    ]


def test_all_are_held_against_one_and_corrected_as_one_family(comparison: Comparison) -> None:
    tests = comparison.tests

    assert [(test.contender, test.metric) for test in tests] == [
        (who, metric) for who in ("perfect", "crying wolf") for metric in TESTED
    ]
    assert {test.against for test in tests} == {"constant"}
    assert tests[0].difference.mean > 0
    assert all(test.randomisation_p >= test.difference.randomisation_p for test in tests)
    assert any(test.randomisation_p > test.difference.randomisation_p for test in tests)


def test_a_metric_with_weights_of_its_own_stands_beside(comparison: Comparison) -> None:
    assert comparison.parts[0].contenders["constant"].value("letters") == len(NORMAL)
    assert comparison.meaning["letters"] == "letters of the draft"
    assert "GREEN: not computed: weights missing" in comparison.notes


def test_what_was_not_computed_has_no_number() -> None:
    chinese = [CorpusRow("1", language="zh", findings="双肺清晰。", impression="未见异常。")]
    told = run_comparison(chinese, {"x": ["未见异常。"]}, source=Source("zh", ""))

    one = told.parts[0].contenders["x"]
    assert one.value("rouge_l") == 1.0
    assert one.value("rouge_l_stemmed") is one.value("missed_abnormal") is None
    assert "BLEU (zh): tokeniser zh" in told.notes
    assert told.tests == ()
    assert (told.drafts[0]["system"], told.drafts[0]["reference"]) == ("x", "未见异常。")
    assert "清晰" not in repr(told)


def test_a_source_is_named_by_its_file_or_by_what_it_stands_for(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_bytes(b"")

    told = [Source.of(tmp_path / "test.jsonl"), Source.of(tmp_path / "test.jsonl", "corpus")]

    assert [one.name for one in told] == ["test.jsonl", "corpus"]
    assert told[0].sha256.startswith("e3b0c442")  # of nothing
