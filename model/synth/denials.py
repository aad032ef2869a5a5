"""What a report says is not there, in many wordings, and often beside what is.

A small model that sees "No pneumothorax." alone learns the words and not the denial. So any organ
may deny, before or after what is wrong with it, one or two findings that the report does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.synth.lexicon import Normal, frames
from model.synth.wording import capitalised

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping


# Of 100 organs that could deny something, how many deny nothing, one and two findings.
DENIED_COUNT_WEIGHTS = (72, 18, 10)


def is_same_name(name: str, other: str) -> bool:
    """Whether one finding is a sort of the other, as a tension pneumothorax is a pneumothorax."""
    return name in other or other in name


def drawn_denial(
    rng: random.Random, region: str, nouns: Mapping[str, str], *, is_held_back: bool
) -> tuple[Normal, str] | None:
    """Deny up to two findings that the report does not have, or nothing.

    Args:
        rng: The report's own source of chance.
        region: For the template's id.
        nouns: What may be denied: a finding's name, and its words in a denial.
        is_held_back: Use only the wordings that training never sees.

    Returns:
        The sentence with what it denies, and its template id.
    """
    count = rng.choices(range(len(DENIED_COUNT_WEIGHTS)), DENIED_COUNT_WEIGHTS)[0]
    drawn = rng.sample(list(nouns), min(count, len(nouns)))
    if not drawn:
        return None
    shelf = frames().denials_held_back if is_held_back else frames().denials
    is_of_two = len(drawn) > 1
    fitting = [pair for pair in enumerate(shelf) if ("{b}" in pair[1]) == is_of_two]
    index, template = rng.choice(fitting)
    text = capitalised(
        template.format_map(dict(zip("ab", map(nouns.__getitem__, drawn), strict=False)))
    )
    mark = "/held_back" if is_held_back else ""
    return Normal(text=text, denies=tuple(drawn)), f"{region}/denial{mark}/{index}"
