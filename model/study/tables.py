"""The results as tables of text: what Markdown and HTML both show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.study.questions import SCALES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.study.agreement import Kappa
    from model.study.analysis import Analysis
    from model.study.estimates import Discordance, Interval, Share
    from model.study.judgements import PreferenceResult, TuringResult

NONE = "-"
VOTES = (
    "Each case has one vote, that of most of its readers; a tie is none. Only cases that differ"
    " count (exact McNemar)."
)
SHARES = (
    "Wilson 95 % takes every answer for independent; over cases 95 % is resampled by case, and the"
    " one to believe where several readers judged a case."
)


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, what to know of it, and cells; the first column is text."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables_of(analysis: Analysis) -> list[Table]:
    """Return the tables of a report, in order."""
    tables = [_counts(analysis)]
    if analysis.preference:
        tables += _preference(analysis.preference)
    if analysis.turing:
        tables += _turing(analysis.turing)
    if analysis.ratings:
        tables.append(_ratings(analysis))
    if analysis.timing:
        tables.append(_timing(analysis))
    tables += [_agreement(analysis), *_groups(analysis), _family(analysis)]
    return tables


def _counts(analysis: Analysis) -> Table:
    rows = (
        ("readers", f"{analysis.readers_answered} of {analysis.readers}"),
        ("cases", str(analysis.cases)),
        ("rows answered", f"{analysis.answered} of {analysis.items}"),
        ("seed of the resampling", str(analysis.seed)),
    )
    return Table("What came back", "", ("", ""), rows)


def _preference(found: PreferenceResult) -> list[Table]:
    rows = tuple((name, str(count)) for name, count in found.counts.items())
    return [
        Table("Which text is better", "Answers of all readers.", ("better", "answers"), rows),
        _shares("At least as good as the reference", {"model": found.at_least_as_good}),
        _votes("Votes on which is better", "for the model's", "for the reference", found.votes),
    ]


def _turing(found: TuringResult) -> list[Table]:
    shares = {f"{source}'s text taken for a human's": s for source, s in found.said_human.items()}
    return [
        _shares("Who wrote it", shares | {"right about the writer": found.right}),
        _votes(
            "Votes on who wrote it",
            "only the model's text taken for a human's",
            "only the reference",
            found.votes,
        ),
    ]


def _shares(title: str, shares: dict[str, Share]) -> Table:
    columns = ("", "answers", "share", "Wilson 95 %", "over cases 95 %")
    rows = tuple(
        (name, f"{s.count} of {s.n}", percent(s.value), percents(s.wilson), percents(s.over_cases))
        for name, s in shares.items()
    )
    return Table(title, SHARES, columns, rows)


def _votes(title: str, first: str, second: str, found: Discordance) -> Table:
    row = (str(found.for_first), str(found.for_second), p_value(found.p))
    return Table(title, VOTES, (first, second, "p"), (row,))


def _ratings(analysis: Analysis) -> Table:
    adjusted = {test.name: test.p_holm for test in analysis.family}
    rows = tuple(
        (
            one.scale,
            str(one.test.n),
            f"{one.model:.2f}",
            f"{one.reference:.2f}",
            f"{one.difference:+z.2f}",
            interval(one.interval, "+z.2f"),
            str(one.test.zeros),
            number(one.test.rank_biserial, "+z.2f"),
            p_value(one.test.p),
            p_value(adjusted[f"rating: {one.scale}"]),
        )
        for one in analysis.ratings
    )
    columns = ("scale", "cases", "model", "reference", "difference", "95 %", "alike")
    return Table(
        "Ratings, 1 to 5 (5 is best)",
        "Means over cases of the readers' mean. Difference: model minus reference, interval"
        " resampled over cases. Wilcoxon's signed-rank test; alike: cases without a difference,"
        " ranked and left out (Pratt). Effect: rank-biserial correlation, -1 to 1.",
        (*columns, "effect", "p", "p (Holm)"),
        rows,
    )


def _timing(analysis: Analysis) -> Table:
    found = analysis.timing
    assert found is not None
    row = (
        str(found.cases),
        f"{found.with_draft:.1f}",
        f"{found.without_draft:.1f}",
        f"{found.difference:+z.1f}",
        interval(found.interval, "+z.1f"),
        number(found.test.rank_biserial, "+z.2f"),
        p_value(found.test.p),
    )
    return Table(
        "Seconds to write an impression",
        "The same cases by other readers; each reader's own pace is taken off. Interval resampled"
        " over cases; Wilcoxon's signed-rank test.",
        ("cases", "with the draft", "without", "difference", "95 %", "effect", "p"),
        (row,),
    )


def _agreement(analysis: Analysis) -> Table:
    rows = [
        (
            one.scale,
            "ICC(2,1); ICC(2,k)",
            f"{one.agreement.subjects} x {one.agreement.readers}",
            f"{number(one.agreement.single)}; {number(one.agreement.mean)}",
            f"{interval(one.agreement.single_interval)}; {interval(one.agreement.mean_interval)}",
        )
        for one in analysis.ratings
    ]
    if analysis.preference:
        rows.insert(0, _kappa_row("better text", analysis.preference.agreement))
    if analysis.turing:
        rows.insert(0, _kappa_row("who wrote it", analysis.turing.agreement))
    return Table(
        "Agreement of readers",
        "Of cases (kappa of the better text) or texts that every reader judged. ICC: two-way random"
        " effects, absolute agreement, of one reader and of the mean of all (Shrout and Fleiss);"
        " kappa's interval is resampled over cases or texts.",
        ("question", "measure", "judged x readers", "value", "95 %"),
        tuple(rows),
    )


def _kappa_row(question: str, found: Kappa) -> tuple[str, str, str, str, str]:
    judged = f"{found.subjects} x {found.readers}"
    return question, "Fleiss' kappa", judged, number(found.value), interval(found.interval)


def _groups(analysis: Analysis) -> Iterator[Table]:
    chief = "right about the writer" if analysis.turing else "at least as good"
    for grouping in dict.fromkeys(one.grouping for one in analysis.groups):
        rows = tuple(
            (
                one.name,
                str(one.cases),
                percent(one.chief.value if one.chief else None),
                percents(one.chief.wilson if one.chief else None),
                *(number(one.differences.get(scale), "+z.2f") for scale in SCALES),
                number(one.seconds, "+z.1f"),
            )
            for one in analysis.groups
            if one.grouping == grouping
        )
        yield Table(
            f"By {grouping}",
            "Differences: model minus reference; seconds: with the draft minus without. Told, not"
            " tested.",
            (grouping, "cases", chief, "Wilson 95 %", *SCALES, "seconds"),
            rows,
        )


def _family(analysis: Analysis) -> Table:
    rows = tuple(
        (test.name, test.method, p_value(test.p), p_value(test.p_holm)) for test in analysis.family
    )
    return Table(
        "All tests, one family",
        "Two-sided, adjusted together (Holm, 1979). Chi-squared takes answers for independent: read"
        " it beside the votes.",
        ("question", "test", "p", "p (Holm)"),
        rows,
    )


def number(value: float | None, form: str = "z.2f") -> str:
    """Write a number, or that there is none."""
    return NONE if value is None else format(value, form)


def percent(value: float | None) -> str:
    """Write a share."""
    return NONE if value is None else f"{100 * value:.1f} %"


def percents(found: Interval | None) -> str:
    """Write an interval of a share, in percent."""
    return NONE if found is None else f"{100 * found.low:.1f} to {100 * found.high:.1f}"


def interval(found: Interval | None, form: str = "z.2f") -> str:
    """Write an interval."""
    return NONE if found is None else f"{found.low:{form}} to {found.high:{form}}"


def p_value(p: float | None) -> str:
    """Write a p value."""
    if p is None:
        return NONE
    return "<0.001" if p < 0.001 else f"{p:.3f}"  # noqa: PLR2004 - as journals print it
