"""Errors, as they come out of another process."""

from __future__ import annotations

import pickle

import pytest

from daemon.errors import ConfigurationError, JournalUnavailableError
from daemon.lifecycle import Event, IllegalTransitionError, State
from mappings.errors import MessageRefusedError, PrelimError, ResourceRefusedError

ERRORS = [
    PrelimError("reason"),
    ConfigurationError("unknown", "mllp.port"),
    JournalUnavailableError("disk_full", "SQLITE_FULL"),
    MessageRefusedError("not_hl7", "MSH", "AE", 100),
    ResourceRefusedError(422, "structure", "no_text", "DiagnosticReport.status"),
    IllegalTransitionError(State.POSTED, Event.DRAFT),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_that_another_process_raised_is_as_it_was(error: PrelimError) -> None:
    found = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own

    assert type(found) is type(error)
    assert (str(found), vars(found)) == (str(error), vars(error))
