"""What can go wrong with the model. A class is a fate; see mappings/errors.py for the rules."""

from __future__ import annotations

from mappings.errors import PrelimError


class PromptRefusedError(PrelimError):
    """Fate: this report alone fails; its prompt can never be run (too long, unknown token)."""


class WorkerLostError(PrelimError):
    """Fate: retry. The worker died, hung or was replaced while it had this prompt, or the server
    that it asks is away.
    """


class EngineUnavailableError(PrelimError):
    """Fate: stop at start. Weights or libraries are missing; ``where`` is the setting's path."""


class CorpusUnreadableError(PrelimError):
    """Fate: stop. A corpus, a column map or the settings of a command on it cannot be used;
    ``where`` is a line or a field.
    """


class StudyInputError(PrelimError):
    """Fate: exit 2. A file of a reader study cannot be used; ``where`` is its row and field."""


class RecipeRefusedError(PrelimError):
    """Fate: exit 2. A recipe cannot be run on this base, or a run not be taken up again; ``where``
    is its field.
    """
