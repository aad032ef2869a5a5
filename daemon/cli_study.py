"""Commands of the reader study: study design, import, analyse, and power with its three aims."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from daemon.cli_libraries import require_libraries
from daemon.cli_options import AsJson, print_json
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model.study.answers import Imported
    from model.study.power import Needed

LIBRARIES = ("numpy", "scipy", "statsmodels")

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The study's folder, as study design made it.")
]
ReaderCount = Annotated[int, typer.Option("--readers", min=1, max=99, help="How many readers.")]
Icc = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="How far readers agree on what is measured.")
]
Alpha = Annotated[float, typer.Option(min=1e-6, max=0.5, help="Two-sided, of the family.")]
Power = Annotated[float, typer.Option(min=0.01, max=0.999, help="Chance to show it.")]
Tests = Annotated[int, typer.Option(min=1, help="Tests of the family (Bonferroni).")]


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    study = typer.Typer(
        no_args_is_help=True,
        help="Reader study: radiologists judge the model's texts beside the reference, blind"
        " (docs/EVALUATION.md).",
    )
    study.command()(design)
    study.command("import")(import_forms)
    study.command()(analyse)
    power = typer.Typer(no_args_is_help=True, help="How many cases and readers a study needs.")
    for command in (difference, margin, kappa):
        power.command()(command)
    study.add_typer(power, name="power")
    app.add_typer(study, name="study")


def design(  # noqa: PLR0913, PLR0917 - an option each
    drafts: Annotated[
        Path,
        typer.Option("--drafts", help="JSON lines, as `prelim evaluate --drafts` writes them."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the forms and the key.")],
    readers: ReaderCount,
    cases: Annotated[int, typer.Option(min=1, help="Reports that each reader judges.")],
    seed: Annotated[int, typer.Option(help="Keep it from the readers.")],
    kind: Annotated[
        Literal["comparison", "turing"],
        typer.Option(help="Both texts side by side, or one at a time: who wrote it?"),
    ] = "comparison",
    timed_cases: Annotated[
        int, typer.Option(min=0, help="Further reports to write against the clock.")
    ] = 0,
    system: Annotated[
        str | None, typer.Option(help="Whose drafts, where the file holds several systems'.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw the cases and write a blinded form for each reader, and the key in a file of its own.

    Readers get their file of DIR/forms and the instructions, never key.json. All files hold report
    texts and are their owner's alone.
    """
    from model.study.cases import read_cases
    from model.study.design import plan_study
    from model.study.forms import write_study

    read = read_cases(drafts, system)
    study = plan_study(
        read.usable, kind=kind, readers=readers, count=cases, timed=timed_cases, seed=seed
    )
    told = {
        "study": study.study_id,
        "key": str(out / "key.json"),
        "forms": [str(form) for form in write_study(study, out)],
        "cases": cases,
        "left_out_without_text": read.without_text,
    }
    if as_json:
        print_json(told)
    else:
        _print_design(told)


def _print_design(told: Mapping[str, Any]) -> None:
    for form in told["forms"]:
        sys.stdout.write(f"{form}\n")
    sys.stdout.write(f"{told['key']}: keep it from the readers\n")
    if told["left_out_without_text"]:
        left_out = told["left_out_without_text"]
        sys.stdout.write(f"{left_out} cases left out: findings or a text is empty\n")


def import_forms(
    folder: Folder,
    forms: Annotated[list[Path], typer.Argument(help="Forms that came back, CSV or JSON.")],
    is_partial: Annotated[
        bool, typer.Option("--partial", help="Take forms with rows that have no answer yet.")
    ] = False,
    is_replacing: Annotated[
        bool, typer.Option("--replace", help="Take the place of answers that are there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the forms that came back and keep their answers; nothing is unblinded.

    Exit 2 with every wrong row and field, and nothing is kept, when one of them is wrong.
    """
    from model.study.answers import read_forms, store_answers

    imported = read_forms(folder, forms, is_partial=is_partial)
    if imported.faults:
        _tell_faults(imported, as_json=as_json)
        raise typer.Exit(2)
    store_answers(folder, imported, is_replacing=is_replacing)
    for name, answers in imported.answers.items():
        if as_json:
            print_json({"form": name, "rows": len(answers), "of": imported.expected[name]})
        else:
            sys.stdout.write(f"{name}: {len(answers)} of {imported.expected[name]} rows\n")


def _tell_faults(imported: Imported, *, as_json: bool) -> None:
    for fault in imported.faults:
        if as_json:
            print_json({"where": fault.where, "reason": fault.reason})
        else:
            sys.stderr.write(f"prelim: {fault.where}: {fault.reason}\n")


def analyse(
    folder: Folder,
    out: Annotated[Path | None, typer.Option("--out", help="By default DIR/report.")] = None,
    seed: Annotated[int, typer.Option(help="Of the resampling.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Join the answers with the key, and write the results: Markdown, HTML, JSON and plots.

    With --json the results are printed too. What is written holds numbers and names of sites only.
    """
    require_libraries("study", *LIBRARIES)
    from model.study.analysis import analyse as work_out
    from model.study.readings import join_answers
    from model.study.report import as_json_object, write_report

    analysis = work_out(join_answers(folder), seed)
    written = write_report(analysis, out or folder / "report")
    if as_json:
        print_json(as_json_object(analysis))
        return
    for path in written:
        sys.stdout.write(f"{path}\n")
    if not any(path.suffix == ".svg" for path in written):
        sys.stdout.write("no plots: matplotlib is not installed, or there is nothing to draw\n")


def difference(  # noqa: PLR0913, PLR0917 - an option each
    smallest: Annotated[
        float, typer.Option("--difference", help="The smallest that matters: points or seconds.")
    ],
    sd: Annotated[float, typer.Option(help="Standard deviation of one reader's differences.")],
    readers: ReaderCount = 1,
    icc: Icc = 0.5,
    alpha: Alpha = 0.05,
    power: Power = 0.8,
    tests: Tests = 1,
    as_json: AsJson = False,
) -> None:
    """Say how many cases it takes to find a paired difference: of ratings, or of seconds."""
    require_libraries("study", *LIBRARIES)
    from model.study.power import Demands, cases_for_difference

    demands = Demands(readers=readers, icc=icc, alpha=alpha, power=power, tests=tests)
    smallest, sd = _positive(smallest, "--difference"), _positive(sd, "--sd")
    _print_needed(cases_for_difference(smallest, sd, demands), "power", as_json=as_json)


def margin(  # noqa: PLR0913, PLR0917 - an option each
    expected: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The true share, such as at least as good.")
    ],
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The lowest share that would do.")
    ],
    readers: ReaderCount = 1,
    icc: Icc = 0.5,
    alpha: Alpha = 0.05,
    power: Power = 0.8,
    tests: Tests = 1,
    as_json: AsJson = False,
) -> None:
    """Say how many cases it takes to show that a share is not below a threshold."""
    require_libraries("study", *LIBRARIES)
    from model.study.power import Demands, cases_for_margin

    demands = Demands(readers=readers, icc=icc, alpha=alpha, power=power, tests=tests)
    _print_needed(cases_for_margin(expected, threshold, demands), "power", as_json=as_json)


def kappa(
    expected: Annotated[float, typer.Option(min=0.0, max=1.0, help="The true kappa.")],
    half_width: Annotated[float, typer.Option(help="Half the width of its 95 % interval.")],
    readers: Annotated[int, typer.Option(min=2, max=99, help="How many readers.")] = 2,
    shares: Annotated[
        str, typer.Option(help="How often each answer is given; they add up to 1.")
    ] = "0.4,0.3,0.3",
    seed: Annotated[int, typer.Option(help="Of the simulation.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Say how many cases it takes to know Fleiss' kappa as closely as wanted."""
    require_libraries("study", *LIBRARIES)
    from model.study.power import cases_for_kappa

    half_width = _positive(half_width, "--half-width")
    needed = cases_for_kappa(expected, half_width, _read_shares(shares), readers, seed)
    _print_needed(needed, "half width", as_json=as_json)


def _print_needed(needed: Needed, reached: str, *, as_json: bool) -> None:
    if as_json:
        print_json(needed.as_dict())
        return
    sys.stdout.write(f"{needed.cases} cases; readers of each: {needed.readers}\n")
    sys.stdout.write(f"{reached} reached: {needed.reached:.3f}\nby {needed.method}\n")


def _positive(value: float, option: str) -> float:
    if not 0 < value < float("inf"):
        raise ConfigurationError("must_be_above_0", option)
    return value


def _read_shares(told: str) -> list[float]:
    try:
        return [float(part) for part in told.split(",")]
    except ValueError:
        raise ConfigurationError("not_numbers_with_commas_between", "--shares") from None
