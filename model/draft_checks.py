"""Judges a draft against the findings it came from; runs in the daemon, without a model.

A check never changes a text: a draft is taken as it is, or withheld for a person to see. The checks
know what the draft adds or garbles, and of what it leaves out only what cannot wait; they do not
replace the radiologist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.domain import CheckVerdict, FinishReason
from model.checks.numbers import find_number_fault
from model.checks.sides import find_side_fault
from model.checks.support import find_left_out, find_unsupported
from model.checks.wording import find_cut_off, find_empty, find_prompt_echo, find_repetition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.domain import Draft, Findings


def check_draft(findings: Findings, draft: Draft) -> tuple[CheckVerdict, ...]:
    """Run every check.

    Args:
        findings: What the draft was made from.
        draft: What the engine wrote.

    Returns:
        One verdict a check, always in the same order; its reason is the first fault found, its span
        where in the draft.
    """
    text = draft.text
    faults = {
        "empty": find_empty(text),
        "cut_off": find_cut_off(text, is_at_limit=draft.finish is FinishReason.LENGTH),
        "prompt_echo": find_prompt_echo(text),
        "repetition": find_repetition(text),
        "number_not_in_findings": find_number_fault(findings.text, text),
        "side_not_in_findings": find_side_fault(findings, text),
        "finding_not_in_findings": find_unsupported(findings, text),
        "finding_left_out": find_left_out(findings, text),
    }
    return tuple(
        CheckVerdict(check, is_passed=True)
        if fault is None
        else CheckVerdict(check, is_passed=False, reason=fault.reason, span=fault.span)
        for check, fault in faults.items()
    )


def is_withheld(verdicts: Iterable[CheckVerdict]) -> bool:
    """Whether any check refused the draft."""
    return any(not verdict.is_passed for verdict in verdicts)
