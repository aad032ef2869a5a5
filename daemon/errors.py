"""What can go wrong in the daemon. A class is a fate; see mappings/errors.py for the rules."""

from __future__ import annotations

from mappings.errors import PrelimError


class ConfigurationError(PrelimError):
    """Fate: exit 2 at start. ``where`` is the setting's path, such as ``mllp.listeners``."""


class UnknownIdError(PrelimError):
    """Fate: tell the operator; no message, report or delivery has this id."""


class DeliveryMovedOnError(PrelimError):
    """Fate: leave it; the delivery is no longer in the state that the caller acted on."""


class JournalUnavailableError(PrelimError):
    """Fate: tell the sender to try again (AR, 503); the journal did not take it, or nobody knows
    whether it did (``journal_writer_lost``).
    """

    @property
    def is_of_one_report(self) -> bool:
        """Whether it is not the journal's trouble, and would come again with the same report."""
        return self.reason in {"journal_operation_failed", "journal_row_unreadable"}
