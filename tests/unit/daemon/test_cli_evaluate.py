"""evaluate as it is called: by a corpus's truth, and against anyone's reports."""

from __future__ import annotations

import importlib.util
import json
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from daemon import cli_evaluate
from daemon.cli import app
from daemon.errors import ConfigurationError
from mappings.errors import PrelimError
from model.errors import CorpusUnreadableError, EngineUnavailableError
from tests.unit.model.evaluation.recorder import CHARACTERS_MAX, Recorder
from tests.unit.model.tiny_base import make_corpus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from click.testing import Result

    from mappings.domain import Draft
    from model.engine import Prepared

for library in cli_evaluate.METRIC_LIBRARIES:
    pytest.importorskip(library)

FINDINGS = ["Lungs are clear.", "Small left effusion.", "Heart is large.", "Old rib fracture."]
IMPRESSIONS = ["Normal chest.", "Left effusion.", "Cardiomegaly.", "Old rib fracture."]


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*arguments: object) -> PrelimError:
    with pytest.raises(PrelimError) as caught:
        call(*arguments)
    return caught.value


def write_reports(path: Path, prefix: str, times: int = 2) -> Path:
    rows = [
        {"id": f"{prefix}{turn}-{at}", "findings": f"{FINDINGS[at]} View {turn}.", "exam": "Chest"}
        | {"impression": IMPRESSIONS[at], "site": ("north", "south")[turn % 2]}
        for turn in range(times)
        for at in range(len(FINDINGS))
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return make_corpus(tmp_path / "corpus")


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return write_reports(tmp_path / "reports.jsonl", "r", times=4)


@pytest.fixture
def others(tmp_path: Path) -> Path:
    return write_reports(tmp_path / "others.jsonl", "o")


def test_a_file_is_compared_with_every_baseline_in_its_parts(reports: Path, others: Path) -> None:
    printed = json.loads(call("evaluate", "--data", reports, "--train", others, "--json").stdout)

    assert set(printed["parts"]) == {"all", "unseen findings", "site north", "site south"}
    assert printed["parts"]["unseen findings"]["reports"] == 8
    whole = printed["parts"]["all"]["contenders"]
    assert list(whole) == ["constant", "nearest", "consensus", "extractive"]
    assert whole["nearest"]["rouge_l"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 16}
    assert {test["against"] for test in printed["tests"]} == {"nearest"}
    assert any(note.startswith("RadGraph: not computed") for note in printed["notes"])


def test_without_other_reports_there_are_no_neighbours(reports: Path) -> None:
    printed = json.loads(call("evaluate", "--data", reports, "--json").stdout)

    assert list(printed["parts"]["all"]["contenders"]) == ["constant", "extractive"]
    assert "unseen findings" not in printed["parts"]


def test_a_report_too_long_for_one_is_left_out_of_all_and_told(
    reports: Path, others: Path, tmp_path: Path
) -> None:
    long = {"id": "long", "findings": "Effusion. " * 2_000, "impression": "Effusion."}
    with reports.open("a") as file:
        file.write(json.dumps(long) + "\n")
    options = ("--train", others, "--drafts", tmp_path / "drafts")

    printed = json.loads(call("evaluate", "--data", reports, *options, "--json").stdout)
    shown = call("evaluate", "--data", reports, *options).stdout

    assert (printed["left_out"], printed["parts"]["all"]["reports"]) == (1, 16)
    assert "Reports too long for extractive, left out of all: 1." in printed["notes"]
    assert "All 16 reports; 1 left out, too long for a base" in shown
    assert '"long"' not in (tmp_path / "drafts").read_text()


def test_the_table_and_the_report_are_written(reports: Path, others: Path, tmp_path: Path) -> None:
    options = ("--train", others, "--html", tmp_path / "html", "--drafts", tmp_path / "drafts")

    shown = call("evaluate", "--data", reports, *options)

    assert "missed_abnormal" in shown.stdout
    assert "METEOR (en): exact" in shown.stdout
    names = {path.name for path in (tmp_path / "html").iterdir()}
    assert names == {"report.html", "report.md", "rouge_l.svg", "missed.svg"}
    assert len((tmp_path / "drafts").read_text().splitlines()) == 16 * 4
    assert stat.S_IMODE((tmp_path / "drafts").stat().st_mode) == 0o600


def test_a_recipe_drafts_beside_the_baselines_and_tells_its_cost(
    reports: Path, others: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("name: mine\nneighbours: 3\nchecks: true\n")
    options = ("--train", others, "--recipe", recipe, "--ablate", "--against", "mine-no-checks")

    printed = json.loads(call("evaluate", "--data", reports, *options, "--json").stdout)

    whole = printed["parts"]["all"]["contenders"]
    assert list(whole)[4:] == ["mine", "mine-no-checks"]
    assert {test["against"] for test in printed["tests"]} == {"mine-no-checks"}
    assert whole["mine"]["missed_abnormal"]["n"] == 12
    assert any(note.startswith("choosing: mine: ") for note in printed["notes"])


def test_a_shipped_recipe_goes_by_its_name_and_each_is_named_in_help_and_error(
    reports: Path, tmp_path: Path
) -> None:
    pytest.importorskip("sklearn")
    others = write_reports(tmp_path / "others.jsonl", "o", times=6)
    asked = ("evaluate", "--data", reports, "--train", others, "--limit", 2)

    printed = json.loads(call(*asked, "--recipe", "openi-no-model", "--json").stdout)
    error = refused(*asked, "--recipe", "openii")

    assert list(printed["parts"]["all"]["contenders"])[4:] == ["openi-no-model"]
    assert error.reason == "no_such_recipe (shipped: openi, openi-no-model)"
    assert "openi-no-model" in call("evaluate", "--help").stdout


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("name: mine\nneighbours: 0", "neighbours"),
        ("name: nearest", "name"),
        (": [", "recipe.yaml"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_refused(
    text: str, where: str, reports: Path, others: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(text)

    error = refused("evaluate", "--data", reports, "--train", others, "--recipe", recipe)

    assert error.where is not None
    assert error.where.endswith(where)


@pytest.mark.parametrize(
    ("option", "name"), [("--html", "reports.jsonl"), ("--drafts", "gone/drafts.jsonl")]
)
def test_a_place_that_cannot_be_written_is_told_before_anything_is_drafted(
    option: str, name: str, reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.evaluation.contenders.draft_all", None)

    error = refused("evaluate", "--data", reports, option, tmp_path / name)

    assert error.where == option
    assert error.reason.startswith("cannot_write (")


def test_a_card_that_cannot_be_written_is_told_before_anything_is_drafted(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path | None, option: str) -> None:
        if path is not None:
            raise ConfigurationError("cannot_write", f"{option} {path.name}")

    (tmp_path / "card.json").write_text("{}")
    monkeypatch.setattr(cli_evaluate, "require_writable_file", refuse)

    error = refused("evaluate", "--data", corpus, "--adapter", tmp_path, "--card")

    assert error.where == "--card card.json"


def test_drafts_of_ones_own_are_held_against_a_baseline(reports: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in reports.read_text().splitlines()]
    mine = tmp_path / "mine.jsonl"
    mine.write_text(
        "".join(json.dumps({"id": row["id"], "pred": row["impression"]}) + "\n" for row in rows)
    )
    options = ("--systems", f"constant,mine={mine}", "--against", "constant", "--limit", 7)

    printed = json.loads(call("evaluate", "--data", reports, *options, "--json").stdout)

    assert printed["parts"]["all"]["reports"] == 7
    assert printed["parts"]["all"]["contenders"]["mine"]["rouge_l"]["value"] == 1.0
    assert {(test["contender"], test["against"]) for test in printed["tests"]} == {
        ("mine", "constant")
    }


def test_where_no_baseline_was_asked_for_this_is_told(reports: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in reports.read_text().splitlines()]
    mine = tmp_path / "mine.jsonl"
    mine.write_text(
        "".join(json.dumps({"id": row["id"], "draft": "Clear."}) + "\n" for row in rows)
    )
    asked = ("evaluate", "--data", reports, "--html", tmp_path / "html", "--systems")

    shown = call(*asked, f"mine={mine}").stdout
    page = (tmp_path / "html" / "report.md").read_text()
    beside = call(*asked, f"mine={mine},constant").stdout

    warning = "No baseline beside (constant, nearest, consensus, extractive)"
    assert warning in shown
    assert warning in page
    assert warning not in beside


def test_only_the_adapter_that_drafts_has_numbers_in_its_card(
    reports: Path, tmp_path: Path
) -> None:
    baselines = refused("evaluate", "--data", reports, "--card")
    asked = ("evaluate", "--data", reports, "--adapter", tmp_path, "--card")

    assert (baselines.reason, baselines.where) == ("only_where_the_adapter_drafts", "--card")
    pytest.importorskip("torch")
    assert refused(*asked).reason == "card_missing"


def test_the_numbers_of_a_comparison_go_into_the_adapters_card(
    reports: Path, others: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr("model.evaluation.engine_drafts.load_adapter", lambda *_: Recorder())
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    card = cli_evaluate.SHIPPED_ADAPTER / "card.json"
    (adapter / "card.json").write_bytes(card.read_bytes())
    asked = ("--adapter", adapter, "--train", others, "--card", "--json")

    printed = json.loads(call("evaluate", "--data", reports, *asked).stdout)

    told = json.loads((adapter / "card.json").read_text())
    assert told.keys() == json.loads(card.read_text()).keys() | {"comparison"}
    kept = {name: printed["parts"][name] for name in ("all", "unseen findings")}
    assert told["comparison"]["parts"] == kept
    text = (adapter / "CARD.md").read_text()
    assert "| all, 16 reports | constant | nearest | consensus | extractive | adapter |" in text
    assert "| unseen findings, 8 reports |" in text
    assert FINDINGS[1] not in text


def test_a_corpus_is_judged_with_intervals_in_table_and_json(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr("model.evaluation.engine_drafts.load_adapter", lambda *_: Recorder())

    shown = call("evaluate", "--data", corpus).stdout
    printed = json.loads(call("evaluate", "--data", corpus, "--json").stdout)

    low, high = printed["intervals"]["adapter"]["rouge_l"]
    assert low < printed["systems"]["adapter"]["rouge_l"] < high
    beside = shown.partition("95 % intervals")[2]
    assert f"{low:.3f}-{high:.3f}" in beside
    assert printed["intervals"].keys() == printed["systems"].keys()


def test_an_unknown_system_is_refused_with_the_known_ones_before_anything_is_read(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.evaluation.reports.read_reports", None)
    recipe, mine = tmp_path / "house.yaml", tmp_path / "mine.jsonl"
    recipe.write_text("name: house\nchecks: true\n")
    systems = ("--systems", f"constant,mine={mine}", "--recipe", recipe, "--train", reports)

    error = refused("evaluate", "--data", reports, *systems, "--ablate", "--against", "nobody")

    known = "constant, mine, house, house-no-checks"
    assert (error.reason, error.where) == (f"no_such_system (there are {known})", "--against")


def test_what_only_a_comparison_knows_is_not_passed_over_on_a_corpus(
    corpus: Path, others: Path
) -> None:
    assert refused("evaluate", "--data", corpus, "--against", "nobody").where == "--against"
    assert refused("evaluate", "--data", corpus, "--train", others).where == "--train"
    assert refused("evaluate", "--data", corpus, "--ablate").where == "--ablate"


def test_a_file_that_holds_no_reports_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"id": "1", "findings": "Clear."}\n')

    error = refused("evaluate", "--data", tmp_path / "x.jsonl")

    assert isinstance(error, CorpusUnreadableError)
    assert error.reason == "no_report_with_findings_and_impression"


def test_a_corpus_can_be_compared_like_any_reports(corpus: Path) -> None:
    options = ("--systems", "constant,consensus", "--json")

    printed = json.loads(call("evaluate", "--data", corpus, *options).stdout)

    assert list(printed["parts"]["all"]["contenders"]) == ["constant", "consensus"]


def test_without_the_metrics_libraries_it_is_said_what_to_install(
    reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "sacrebleu" else there(name)
    )

    error = refused("evaluate", "--data", reports)

    assert isinstance(error, EngineUnavailableError)
    assert error.reason == "sacrebleu not installed: install prelim[evaluation]"


def test_numbers_are_not_put_into_a_card_that_is_not_there(corpus: Path, tmp_path: Path) -> None:
    error = refused("evaluate", "--data", corpus, "--adapter", tmp_path, "--card")

    assert (error.reason, error.where) == ("card_missing", str(tmp_path))


def test_a_corpus_report_too_long_for_the_adapter_is_told_beside_the_numbers(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    lines = (corpus / "test.jsonl").read_text().splitlines(keepends=True)
    long = json.loads(lines[0])
    long["findings"] += " Clear." * CHARACTERS_MAX
    (corpus / "test.jsonl").write_text("".join((json.dumps(long) + "\n", *lines[1:])))
    monkeypatch.setattr("model.evaluation.engine_drafts.load_adapter", lambda *_: Recorder())

    shown = call("evaluate", "--data", corpus).stdout
    printed = json.loads(call("evaluate", "--data", corpus, "--json").stdout)

    assert "5 reports of test; 1 left out, too long for a base" in shown
    assert (printed["reports"], printed["left_out"]) == (5, 1)


class Refused(Recorder):
    """Contradicts each report's truth at first, and copies what is abnormal when asked again."""

    def generate(self, batch: Sequence[Prepared]) -> list[Draft]:
        return [
            draft if one.prompt.redraft else replace(draft, text="97 mm mass.")
            for one, draft in zip(batch, super().generate(batch), strict=True)
        ]


def test_redrafts_are_judged_beside_the_first_drafts(
    corpus: Path, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr("model.evaluation.engine_drafts.load_adapter", lambda *_: Refused())
    asked = ("--redrafts", 2, "--json")

    by_truth = json.loads(call("evaluate", "--data", corpus, *asked).stdout)["systems"]
    systems = ("--systems", "constant,adapter", "--against", "redrafted")
    compared = json.loads(call("evaluate", "--data", reports, *systems, *asked).stdout)

    assert [by_truth[who]["withheld"] for who in ("adapter", "redrafted")] == [1, 0]
    assert by_truth["adapter"]["shown_fault"] is None
    assert list(compared["parts"]["all"]["contenders"]) == ["constant", "adapter", "redrafted"]
    assert {test["against"] for test in compared["tests"]} == {"redrafted"}


def test_an_adapter_that_is_not_there_is_refused(corpus: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")

    error = refused("evaluate", "--data", corpus, "--adapter", tmp_path / "none")

    assert isinstance(error, EngineUnavailableError)
    assert error.reason == "folder_missing"


def test_the_shipped_adapter_is_where_the_command_looks_for_it() -> None:
    assert (cli_evaluate.SHIPPED_ADAPTER / "card.json").is_file()
