"""The rules of cleaning as a YAML file: each on or off, with its limits; unknown keys are refused.

The order of the fields is the order of the funnel. A rule's docstring is what reports say of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.errors import CorpusUnreadableError

if TYPE_CHECKING:
    from pathlib import Path


class Switch(BaseModel):
    """A rule's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True


class EncodingDamage(Switch):
    """Replacement characters, UTF-8 read as Latin-1, escapes and entities left in the text."""


class NotAReport(Switch):
    """Neither findings nor impression speak of a body or of images: letters, tests, codes."""

    words_min: int = Field(6, ge=1)
    """Shorter texts are left to the other rules."""


class EmptyPart(Switch):
    """Findings or impression are missing, or only point elsewhere ("see above")."""


class TemplatedPart(Switch):
    """A template's blank was never filled in, or nothing but headings is there."""


class TooShort(Switch):
    """Findings or impression have too few words."""

    findings_words_min: int = Field(4, ge=0)
    impression_words_min: int = Field(1, ge=0)


class TooLong(Switch):
    """Findings or impression have too many words."""

    findings_words_max: int = Field(900, ge=1)
    impression_words_max: int = Field(250, ge=1)


class OtherLanguage(Switch):
    """The text is in another language than its row says."""

    words_min: int = Field(5, ge=1)
    """Of a language's small words, before it is believed."""


class Addendum(Switch):
    """Findings or impression hold an addendum: not what was first said of the images."""


class WrongExam(Switch):
    """The text speaks of another region or modality than its exam."""

    words_min: int = Field(2, ge=1)
    """Different words of another region, where none is of the exam's own."""


class ImpressionLonger(Switch):
    """The impression has more words than the findings."""

    ratio_max: float = Field(1.0, gt=0)
    """Words of the impression for each of the findings."""


class ImpressionCopied(Switch):
    """The impression is the findings once more."""

    words_min: int = Field(8, ge=1)
    """A shorter impression may well be one of the findings' sentences."""
    share_min: float = Field(0.9, gt=0, le=1)
    """Of the impression's three-word runs that stand in the findings."""
    findings_share_min: float = Field(0.5, ge=0, le=1)
    """Words of the impression for each of the findings."""


class SideContradiction(Switch):
    """The impression names a side that the findings do not have, or have for something else."""


class Duplicate(Switch):
    """Findings and impression are word for word those of an earlier row."""

    same_patient_only: bool = False


class NearDuplicate(Switch):
    """Findings and impression are nearly those of an earlier row."""

    threshold: float = Field(0.9, gt=0, le=1)
    """Jaccard share of three-word runs; one other word in sixty gives about 0.9."""


class CleaningSettings(BaseModel):
    """All rules, in the order of the funnel.

    Attributes:
        samples_per_rule: Rows of each rule that are written out for review.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoding_damage: EncodingDamage = EncodingDamage()
    not_a_report: NotAReport = NotAReport()
    empty_part: EmptyPart = EmptyPart()
    templated_part: TemplatedPart = TemplatedPart()
    too_short: TooShort = TooShort()
    too_long: TooLong = TooLong()
    other_language: OtherLanguage = OtherLanguage()
    addendum: Addendum = Addendum()
    wrong_exam: WrongExam = WrongExam()
    impression_longer: ImpressionLonger = ImpressionLonger()
    impression_copied: ImpressionCopied = ImpressionCopied()
    side_contradiction: SideContradiction = SideContradiction()
    duplicate: Duplicate = Duplicate()
    near_duplicate: NearDuplicate = NearDuplicate()
    samples_per_rule: int = Field(10, ge=0, le=1000)

    def switch(self, rule: str) -> Switch:
        """Return the settings of a rule."""
        switch: Switch = getattr(self, rule)
        return switch


RULES: tuple[str, ...] = tuple(
    name for name in CleaningSettings.model_fields if name != "samples_per_rule"
)
"""The names of the rules, in the order of the funnel."""


def meaning_of(rule: str) -> str:
    """Return what a rule takes out, in a sentence."""
    kind = type(CleaningSettings().switch(rule))
    return (kind.__doc__ or "").strip()


def load_settings_file(path: Path | None) -> CleaningSettings:
    """Read a cleaning file; None gives the defaults.

    Raises:
        CorpusUnreadableError: It is not there, or a field of it is wrong; ``where`` is the field.
    """
    if path is None:
        return CleaningSettings()
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        return CleaningSettings.model_validate(told or {})
    except (OSError, UnicodeDecodeError) as error:
        reason = f"cannot_read_file ({type(error).__name__})"
        raise CorpusUnreadableError(reason, str(path)) from None
    except yaml.YAMLError:
        raise CorpusUnreadableError("not_yaml", str(path)) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise CorpusUnreadableError(first["msg"], field or str(path)) from None
