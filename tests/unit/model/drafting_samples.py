"""Invented chest reports, enough of both kinds to learn from."""

from __future__ import annotations

from model.corpora.schema import CorpusRow

ALL_CLEAR = "No acute cardiopulmonary abnormality."
_NORMAL = ("The lungs are clear.", "Heart size is normal.", "No pleural effusion or pneumothorax.")
_ABNORMAL = (
    ("There is a small left pleural effusion.", "Small left pleural effusion."),
    ("The heart is moderately enlarged.", "Moderate cardiomegaly without edema."),
    ("Calcified granuloma in the right upper lobe.", "Right upper lobe granuloma, stable."),
)


def make_reports(prefix: str, times: int) -> list[CorpusRow]:
    """Return ``times`` rounds of three normal and three abnormal reports."""
    rows = []
    for turn in range(times):
        for kind, (finding, conclusion) in enumerate(_ABNORMAL):
            own = f"{_NORMAL[turn % 3]} View {prefix} {turn} {kind}."
            normal, abnormal = f"{own} {_NORMAL[kind]}", f"{own} {finding}"
            rows += [
                CorpusRow(f"{prefix}-{turn}-{kind}-n", findings=normal, impression=ALL_CLEAR),
                CorpusRow(f"{prefix}-{turn}-{kind}-a", findings=abnormal, impression=conclusion),
            ]
    return rows
