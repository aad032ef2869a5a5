"""Which of a report's drafts is taken: the first that passes every check, else the first of all.

The one who has a model asks for what is ``wanted`` and hands in what it wrote, until nothing is
wanted any more; `prelim serve`, `prelim draft` and `prelim evaluate` do, each in its own way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from model.draft_checks import check_draft

if TYPE_CHECKING:
    from mappings.domain import CheckVerdict, Draft, Findings, Prompt


@dataclass(frozen=True, slots=True)
class Judged:
    """A draft and what every check says of it."""

    draft: Draft
    verdicts: tuple[CheckVerdict, ...]

    @property
    def refusal(self) -> CheckVerdict | None:
        """The first check that refuses the draft; None when it passes them all."""
        return next((verdict for verdict in self.verdicts if not verdict.is_passed), None)


class Choice:
    """The drafts of one report, in the order of their numbers."""

    def __init__(self, findings: Findings, prompt: Prompt, redrafts_max: int = 0) -> None:
        """Take what is drafted for, how it is asked for, and how many redrafts may follow."""
        self._findings = findings
        self._prompt = prompt
        self._redrafts_max = redrafts_max
        self._drafts: list[Judged] = []

    @property
    def wanted(self) -> Prompt | None:
        """The prompt to draft for next; None once the choice is made."""
        number = len(self._drafts)
        if number > self._redrafts_max or (number and self._drafts[-1].refusal is None):
            return None
        return replace(self._prompt, redraft=number)

    def judge(self, draft: Draft) -> Judged:
        """Take what was written for the prompt that was wanted, and check it."""
        judged = Judged(draft, check_draft(self._findings, draft))
        self._drafts.append(judged)
        return judged

    @property
    def taken(self) -> Judged:
        """The draft that is shown, or withheld with its reason; one must have been judged.

        That of all refused drafts the first is kept makes the reason the same with redrafts and
        without.
        """
        last = self._drafts[-1]
        return last if last.refusal is None else self._drafts[0]
