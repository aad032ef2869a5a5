"""The command that judges drafts: evaluate.

Two questions, one command. On a synthetic corpus (a folder) sides, sizes and findings are known
exactly, and an adapter is held against them. On reports of anyone (a file, or --systems) drafts are
compared with the radiologist's impression, baselines beside or a note that there are none.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

import model
from daemon.cli_contenders import Asked, read_contenders
from daemon.cli_drafting import draft, notes_of
from daemon.cli_libraries import METRIC_LIBRARIES, MODEL_LIBRARIES, require_libraries
from daemon.cli_options import AsJson, print_json
from daemon.cli_outputs import require_writable_file, require_writable_folder
from daemon.cli_recipes import DRAFTING, names_of
from daemon.cli_tables import print_table
from daemon.config import REDRAFTS_MAX
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from model.evaluation import Evaluation
    from model.evaluation.by_reference import Comparison, WeightedMetric

ERRORS = Console(stderr=True)
SHIPPED_ADAPTER = Path(model.__file__).parent / "demo_adapter"

Data = Annotated[
    Path,
    typer.Option(help="Corpus folder of `prelim synth`, or a JSONL file of anyone's reports."),
]
Adapter = Annotated[
    Path | None,
    typer.Option(help="Adapter folder; on a corpus, without it, the shipped demo adapter."),
]
Base = Annotated[
    Path | None, typer.Option(help="Folder of the base model; without it, the demo base.")
]
Systems = Annotated[
    str | None,
    typer.Option(
        help="Who drafts: constant, nearest, consensus, extractive, adapter, or NAME=FILE.jsonl"
        " for drafts of your own; with commas between. Without it, the baselines, and the adapter"
        " that --adapter names."
    ),
]
Train = Annotated[
    Path | None,
    typer.Option(help="JSONL of other reports, for the neighbours and for what is unseen."),
]
RecipeFile = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        help=f"YAML of a drafting recipe, or the name of a shipped one ({names_of(DRAFTING)}):"
        " drafts by --train's reports and,"
        " where it says so, an adapter trained on them once and kept; or --adapter's.",
    ),
]
Ablate = Annotated[
    bool, typer.Option("--ablate", help="Draft also by the recipe without each of its parts.")
]
Against = Annotated[
    str | None, typer.Option(help="The system that the tests hold all others against.")
]
Encoder = Annotated[
    Path | None, typer.Option(help="Folder of an encoder for similarities; docs/EVALUATION.md.")
]
Redrafts = Annotated[
    int,
    typer.Option(
        min=0,
        max=REDRAFTS_MAX,
        help="Show also what a daemon takes with so many model.redrafts: the adapter drafts again"
        " what a check refuses.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first so many reports.")]
Drafts = Annotated[Path | None, typer.Option(help="Write every draft here, as JSON lines.")]
Html = Annotated[
    Path | None, typer.Option(help="Write report.html, report.md and plots into this folder.")
]
Card = Annotated[
    bool, typer.Option("--card", help="Put the numbers into the card of the adapter that drafts.")
]


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(evaluate)


def evaluate(  # noqa: PLR0913, PLR0917 - an option each
    data: Data,
    adapter: Adapter = None,
    base: Base = None,
    systems: Systems = None,
    train: Train = None,
    recipe: RecipeFile = None,
    ablate: Ablate = False,
    against: Against = None,
    encoder: Encoder = None,
    redrafts: Redrafts = 0,
    limit: Limit = None,
    drafts: Drafts = None,
    html: Html = None,
    card: Card = False,
    as_json: AsJson = False,
) -> None:
    """Score drafts beside baselines: a synthetic corpus by its truth, all else by the reference."""
    require_writable_folder(html, "--html")
    require_writable_file(drafts, "--drafts")
    asked = Asked(
        data=data,
        adapter=adapter,
        base=base,
        systems=systems,
        train=train,
        against=against,
        encoder=encoder,
        limit=limit,
        recipe=recipe,
        is_ablated=ablate,
        redrafts=redrafts,
    )
    if _is_by_truth(asked, html):
        judged = _judge(asked, adapter or SHIPPED_ADAPTER, is_card=card)
        _write_drafts(drafts, judged.drafts)
        _show_scores(judged, as_json=as_json)
    else:
        compared = _compare(asked, is_card=card)
        if card:
            _add_to_card(asked.adapter or SHIPPED_ADAPTER, compared)
        _write_drafts(drafts, compared.drafts)
        _show_comparison(compared, html, as_json=as_json)


def _is_by_truth(asked: Asked, html: Path | None) -> bool:
    """Tell whether a corpus is judged by its truth.

    Raises:
        ConfigurationError: An option is given that has a meaning in comparisons alone.
    """
    if not asked.data.is_dir() or (asked.systems, asked.recipe, html) != (None, None, None):
        return False
    others = {
        "--against": asked.against,
        "--train": asked.train,
        "--encoder": asked.encoder,
        "--ablate": asked.is_ablated or None,
    }
    given = [name for name, told in others.items() if told is not None]
    if given:
        raise ConfigurationError("only_in_a_comparison: on a corpus give --systems too", given[0])
    return True


def _judge(asked: Asked, adapter: Path, *, is_card: bool) -> Evaluation:
    """Hold an adapter against a corpus's truth."""
    data = asked.data
    for name in ("train.jsonl", "test.jsonl"):
        if not (data / name).is_file():
            raise ConfigurationError("corpus_file_missing", str(data / name))
    if is_card:
        _require_card(adapter)
    require_libraries("model", *MODEL_LIBRARIES, "rouge_score")
    from model.evaluation import run_evaluation

    total = _count_reports(data / "test.jsonl", asked.limit)
    with _drafting(total) as advance:
        evaluation = run_evaluation(
            data=data,
            adapter=adapter,
            base=asked.base,
            limit=asked.limit,
            redrafts_max=asked.redrafts,
            advance=advance,
        )
    if is_card:
        from model.training.card import add_evaluation

        add_evaluation(adapter, evaluation.as_dict())
    return evaluation


def _require_card(adapter: Path, *, is_drafting: bool = True) -> None:
    if not is_drafting:
        raise ConfigurationError("only_where_the_adapter_drafts", "--card")
    if not (adapter / "card.json").is_file():
        raise ConfigurationError("card_missing", str(adapter))
    require_writable_file(adapter / "card.json", "--card")


def _compare(asked: Asked, *, is_card: bool) -> Comparison:
    """Draft by every system and score against the radiologist's impressions."""
    require_libraries("evaluation", *METRIC_LIBRARIES)
    from model.evaluation.by_reference import Source, run_comparison
    from model.evaluation.contenders import Means, draft_all, missing_baseline
    from model.evaluation.engine_drafts import ADAPTER
    from model.evaluation.reports import read_reports

    is_folder = asked.data.is_dir()
    file = asked.data / "test.jsonl" if is_folder else asked.data
    train_file = asked.train or (asked.data / "train.jsonl" if is_folder else None)
    adapter = asked.adapter or SHIPPED_ADAPTER
    who = read_contenders(asked, has_train=train_file is not None)
    if is_card:
        _require_card(adapter, is_drafting=ADAPTER in who.names)
    reports = read_reports(file)[: asked.limit]
    train = [] if train_file is None else read_reports(train_file)
    metrics, notes = _weighted_metrics(asked.encoder)
    with _drafting(len(reports) if ADAPTER in who.names else 0) as advance:
        means = Means(
            train=train,
            adapter=adapter,
            base=asked.base,
            drafts=who.own,
            redrafts_max=asked.redrafts,
            advance=advance,
        )
        drafts = draft_all(who.names, reports, means)
    if who.recipe is not None:
        drafted = draft(
            who.recipe,
            reports,
            train,
            adapter=asked.adapter,
            base=asked.base,
            is_ablated=asked.is_ablated,
        )
        drafts |= drafted.drafts
        notes += notes_of(drafted)
    return run_comparison(
        reports,
        drafts,
        source=Source.of(file, asked.data.name),
        train=train,
        metrics=metrics,
        notes=[*missing_baseline(who.names), *notes],
        against=who.against,
    )


def _add_to_card(adapter: Path, comparison: Comparison) -> None:
    from model.evaluation.report import for_card
    from model.training.card import add_comparison

    add_comparison(adapter, for_card(comparison))


def _weighted_metrics(encoder: Path | None) -> tuple[list[WeightedMetric], list[str]]:
    """Return the metrics whose weights are here, and why the others are not computed."""
    from model.evaluation.plugins import PLUGINS
    from model.evaluation.similarity import EncoderMetric, find_encoder

    found = find_encoder(encoder)
    metrics: list[WeightedMetric] = [EncoderMetric(found)] if isinstance(found, Path) else []
    notes = [found] if isinstance(found, str) else []
    for plugin in PLUGINS:
        why = plugin.unavailable()
        if why is None:
            metrics.append(plugin)
        else:
            notes.append(f"{plugin.name}: {why}")
    return metrics, notes


@contextmanager
def _drafting(total: int) -> Iterator[Callable[[int], None]]:
    with Progress(console=ERRORS, transient=True) as progress:
        task = progress.add_task("drafting", total=total, visible=total > 0)
        yield lambda n: progress.advance(task, n)


def _count_reports(path: Path, limit: int | None) -> int:
    with path.open("rb") as file:
        count = sum(1 for _ in file)
    return count if limit is None else min(count, limit)


def _write_drafts(path: Path | None, drafts: Sequence[dict[str, Any]]) -> None:
    """Write drafts for their owner alone: a hospital's hold patients' texts."""
    if path is not None:
        from model.corpora.schema import open_private

        with open_private(path) as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in drafts)


def _show_scores(evaluation: Evaluation, *, as_json: bool) -> None:
    from model.evaluation.report import left_out_told

    if as_json:
        print_json(evaluation.as_dict())
        return
    rows = []
    for metric, n in evaluation.counts.items():
        values = (scores[metric] for scores in evaluation.systems.values())
        rows.append(
            (metric, *("-" if value is None else f"{value:.3f}" for value in values), str(n))
        )
    ends = [
        (
            metric,
            *(
                "-" if (told := each[metric]) is None else f"{told[0]:.3f}-{told[1]:.3f}"
                for each in evaluation.intervals.values()
            ),
        )
        for metric in evaluation.counts
    ]
    title = f"{evaluation.reports} reports of {evaluation.split}"
    title += left_out_told(evaluation.left_out)
    print_table(title, ("", *evaluation.systems, "n"), rows)
    print_table("95 % intervals", ("", *evaluation.systems), ends)


def _show_comparison(comparison: Comparison, html: Path | None, *, as_json: bool) -> None:
    from model.evaluation.report import as_dict, sections_of, write_report

    if html:
        write_report(html, comparison)
    if as_json:
        print_json(as_dict(comparison))
        return
    for section in sections_of(comparison, has_intervals=False):
        print_table(section.title, section.head, section.rows, names=section.names)
    for note in comparison.notes:
        typer.echo(note)
