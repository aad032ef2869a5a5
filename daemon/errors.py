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
    """Fate: tell the sender to try again (AR, 503); the disk would not take the message."""
