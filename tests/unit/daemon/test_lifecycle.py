"""The life cycle, whole: every state times every event, against a drawing of it in words."""

from __future__ import annotations

import pytest

from daemon.lifecycle import TRANSITIONS, Event, IllegalTransitionError, State, next_state

# One line a state: which event leads where. Written apart from the table, so that a change of
# either has to be meant.
DRAWING = {
    State.RECEIVED: "map>MAPPED skip>SKIPPED supersede>SUPERSEDED reject>REJECTED",
    State.REJECTED: "reread>RECEIVED",
    State.MAPPED: (
        "draft>DRAFTED withhold>WITHHELD skip>SKIPPED retry>MAPPED fail>FAILED supersede>SUPERSEDED"
    ),
    State.DRAFTED: (
        "post>POSTED skip>SKIPPED retry>DRAFTED fail>FAILED supersede>SUPERSEDED"
        " withdraw>RETRACTING"
    ),
    State.POSTED: "supersede>SUPERSEDED withdraw>RETRACTING",
    State.RETRACTING: (
        "retract>RETRACTED skip>SKIPPED retry>RETRACTING fail>FAILED supersede>SUPERSEDED"
        " withdraw>RETRACTING post>RETRACTING"
    ),
    State.RETRACTED: "",
    State.SKIPPED: "",
    State.WITHHELD: "redraft>MAPPED supersede>SUPERSEDED",
    State.SUPERSEDED: "post>SUPERSEDED retract>SUPERSEDED withdraw>RETRACTING",
    State.FAILED: "redraft>MAPPED repost>DRAFTED supersede>SUPERSEDED withdraw>RETRACTING",
}
STEPS = {
    (state, Event(arrow.split(">")[0])): State(arrow.split(">")[1])
    for state, arrows in DRAWING.items()
    for arrow in arrows.split()
}


@pytest.mark.parametrize("event", list(Event))
@pytest.mark.parametrize("state", list(State))
def test_every_event_in_every_state_leads_where_it_is_drawn(state: State, event: Event) -> None:
    if (state, event) in STEPS:
        assert next_state(state, event) is STEPS[state, event]
        return

    with pytest.raises(IllegalTransitionError) as caught:
        next_state(state, event)

    assert (caught.value.state, caught.value.event) == (state, event)
    assert (caught.value.reason, caught.value.where) == ("illegal_transition", f"{state}/{event}")


def test_every_state_can_be_reached_from_received() -> None:
    reached = {State.RECEIVED}
    for _ in State:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}

    assert reached == set(State)


def test_what_is_retracted_or_skipped_is_never_touched_again() -> None:
    moving = {state for state, _ in TRANSITIONS}

    assert {State.RETRACTED, State.SKIPPED}.isdisjoint(moving)


def test_what_was_posted_can_only_make_room_or_be_taken_back() -> None:
    after = {TRANSITIONS[before, event] for before, event in TRANSITIONS if before is State.POSTED}

    assert after == {State.SUPERSEDED, State.RETRACTING}


def test_states_and_events_keep_the_names_they_are_stored_under() -> None:
    assert [state.value for state in State] == [state.name for state in State]
    assert [event.value for event in Event] == [event.name.lower() for event in Event]
