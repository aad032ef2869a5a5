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
    from collections.abc import Collection, Sequence

    from model.synth.lexicon import Kind, Lexicon
    from model.synth.report import Stated

# Of 100 organs that could deny something, how many deny nothing, one and two findings.
DENIED_COUNT_WEIGHTS = (72, 18, 10)


def is_same_name(name: str, other: str) -> bool:
    """Whether one finding is a sort of the other, as a tension pneumothorax is a pneumothorax."""
    return name in other or other in name


def drawn_denial(
    rng: random.Random,
    words: Lexicon,
    kinds: Sequence[Kind],
    organ_name: str,
    *,
    stated: Sequence[Stated],
    denied: Collection[str],
    is_held_back: bool,
) -> tuple[Normal, str] | None:
    """Deny up to two findings of an organ that the report does not have, or nothing.

    Args:
        rng: The report's own source of chance.
        words: The region's tables.
        kinds: The findings that this exam could show.
        organ_name: Whose ``deniable`` findings are drawn from.
        stated: What the report has: neither that nor what shares a word with it is denied.
        denied: Findings already denied.
        is_held_back: Use only the wordings that training never sees.

    Returns:
        The sentence with what it denies, and its template id.
    """
    organ, possible = words.organs[organ_name], {kind.name for kind in kinds}
    said = " ".join(one.text for one in stated).lower()
    there = {kind.name for kind in kinds if any(stem in said for stem in kind.stems)}
    names = [
        name
        for name in organ.deniable
        if name in possible - there - set(denied)
        and not any(is_same_name(name, one.kind.name) for one in stated)
    ]
    count = rng.choices(range(len(DENIED_COUNT_WEIGHTS)), DENIED_COUNT_WEIGHTS)[0]
    drawn = rng.sample(names, min(count, len(names)))
    if not drawn:
        return None
    shelf = frames().denials_held_back if is_held_back else frames().denials
    is_of_two = len(drawn) > 1
    fitting = [pair for pair in enumerate(shelf) if ("{b}" in pair[1]) == is_of_two]
    index, template = rng.choice(fitting)
    nouns = dict(zip("ab", (organ.deniable[name] for name in drawn), strict=False))
    text = capitalised(template.format_map(nouns))
    mark = "/held_back" if is_held_back else ""
    return Normal(text=text, denies=tuple(drawn)), f"{words.region}/denial{mark}/{index}"
